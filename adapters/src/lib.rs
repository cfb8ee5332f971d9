//! A WebSocket client that stays alive and loses nothing.

#[cfg(feature = "practice")]
pub mod practice;
