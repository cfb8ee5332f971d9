//! Whether to dial again.

use crate::backoff::Advised;
use crate::config::{CloseRule, Retry};
use crate::event::DialError;
use crate::frame::code;
use crate::notice::{ClosedBy, Reason};

/// What a reason means for the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Dial again, heeding the advice.
    Retry(Advised),
    /// Do not; this side ended it.
    Final(ClosedBy),
}

/// Classifies the end of a transport or the failure of a dial.
pub(crate) fn classify(config: &Retry, reason: &Reason) -> Verdict {
    let retry = Verdict::Retry(Advised::Nothing);
    match reason {
        Reason::DialFailed(failure) => match failure.kind {
            DialError::RequestRefused => Verdict::Final(ClosedBy::Policy),
            // The next attempt would bring the same credentials.
            DialError::ProxyAuth => Verdict::Final(ClosedBy::Server),
            DialError::Status | DialError::Proxy => match failure.status {
                Some(status)
                    if failure.kind == DialError::Status
                        && config.fatal_statuses.contains(&status) =>
                {
                    Verdict::Final(ClosedBy::Server)
                }
                // RFC 9110 §15.6.4, RFC 6585 §4: only these two promise a meaning of Retry-After.
                Some(429 | 503) => {
                    failure.retry_after.map_or(retry, |t| Verdict::Retry(Advised::RetryAfter(t)))
                }
                Some(_) | None => retry,
            },
            DialError::Request
            | DialError::Resolve
            | DialError::Connect
            | DialError::Tls
            | DialError::Handshake => retry,
        },
        Reason::PeerClosed(close) => {
            let code = close.as_ref().map_or(code::NO_STATUS, |close| close.code);
            match (config.close_codes.get(&code), code) {
                (Some(CloseRule::Final), _) => Verdict::Final(ClosedBy::Server),
                (Some(CloseRule::Retry) | None, code::SERVICE_RESTART | code::TRY_AGAIN_LATER) => {
                    Verdict::Retry(Advised::Restart)
                }
                (Some(CloseRule::Retry) | None, _) => retry,
            }
        }
        Reason::DialTimeout
        | Reason::Ended(_)
        | Reason::Dead(_)
        | Reason::Refused { retry: true, .. }
        | Reason::OpeningTimeout => retry,
        Reason::Application => Verdict::Final(ClosedBy::Application),
        Reason::Violated(_)
        | Reason::Refused { retry: false, .. }
        | Reason::Incapable(_)
        | Reason::MaxAttempts(_)
        | Reason::MaxOutage
        | Reason::Stopped(_)
        | Reason::FirstFailed(_) => Verdict::Final(ClosedBy::Policy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{DialFailure, End, EndKind, Violation};
    use crate::frame::CloseFrame;
    use crate::notice::Death;
    use crate::time::Duration;

    fn status(status: u16, retry_after: Option<u64>) -> Reason {
        Reason::DialFailed(DialFailure {
            status: Some(status),
            retry_after: retry_after.map(Duration::from_secs),
            ..DialFailure::new(DialError::Status, "")
        })
    }

    fn closed(code: u16) -> Reason {
        Reason::PeerClosed(Some(CloseFrame::new(code, "")))
    }

    #[test]
    fn statuses() {
        let config = Retry::default();
        for fatal in [400, 401, 403, 404, 410, 426] {
            let verdict = classify(&config, &status(fatal, Some(1)));
            assert_eq!(verdict, Verdict::Final(ClosedBy::Server), "{fatal}");
        }
        for retried in [301, 402, 408, 500, 502, 504] {
            let verdict = classify(&config, &status(retried, Some(1)));
            assert_eq!(verdict, Verdict::Retry(Advised::Nothing), "{retried}");
        }
        for advised in [429, 503] {
            let verdict = classify(&config, &status(advised, Some(7)));
            let expected = Verdict::Retry(Advised::RetryAfter(Duration::from_secs(7)));
            assert_eq!(verdict, expected, "{advised}");
            let verdict = classify(&config, &status(advised, None));
            assert_eq!(verdict, Verdict::Retry(Advised::Nothing));
        }
    }

    #[test]
    fn a_proxy_is_no_server() {
        let config = Retry::default();
        let proxy = |kind, status: u16| {
            Reason::DialFailed(DialFailure {
                status: Some(status),
                retry_after: Some(Duration::from_secs(7)),
                ..DialFailure::new(kind, "")
            })
        };
        let wants = classify(&config, &proxy(DialError::ProxyAuth, 407));
        assert_eq!(wants, Verdict::Final(ClosedBy::Server));
        for passing in [400, 403, 404, 502] {
            let verdict = classify(&config, &proxy(DialError::Proxy, passing));
            assert_eq!(verdict, Verdict::Retry(Advised::Nothing), "{passing}");
        }
        let busy = classify(&config, &proxy(DialError::Proxy, 503));
        assert_eq!(busy, Verdict::Retry(Advised::RetryAfter(Duration::from_secs(7))));
    }

    #[test]
    fn close_codes() {
        let mut config = Retry::default();
        for fatal in [1002, 1003, 1007, 1008, 1009, 1010] {
            let verdict = classify(&config, &closed(fatal));
            assert_eq!(verdict, Verdict::Final(ClosedBy::Server), "{fatal}");
        }
        for retried in [1000, 1001, 1005, 1006, 1011, 1014, 3000, 4000, 4999] {
            let verdict = classify(&config, &closed(retried));
            assert_eq!(verdict, Verdict::Retry(Advised::Nothing), "{retried}");
        }
        for advised in [1012, 1013] {
            let verdict = classify(&config, &closed(advised));
            assert_eq!(verdict, Verdict::Retry(Advised::Restart), "{advised}");
        }
        config.close_codes.insert(4001, CloseRule::Final);
        config.close_codes.insert(1008, CloseRule::Retry);
        assert_eq!(classify(&config, &closed(4001)), Verdict::Final(ClosedBy::Server));
        assert_eq!(classify(&config, &closed(1008)), Verdict::Retry(Advised::Nothing));
    }

    #[test]
    fn failures_on_the_way_are_retried() {
        let config = Retry::default();
        for kind in [
            DialError::Request,
            DialError::Resolve,
            DialError::Connect,
            DialError::Tls,
            DialError::Handshake,
            DialError::Proxy,
        ] {
            let reason = Reason::DialFailed(DialFailure::new(kind, ""));
            assert_eq!(classify(&config, &reason), Verdict::Retry(Advised::Nothing), "{kind:?}");
        }
        for reason in [
            Reason::DialTimeout,
            Reason::Ended(End::new(EndKind::Reset)),
            Reason::Dead(Death::Pong),
            Reason::PeerClosed(None),
            Reason::Refused { retry: true, detail: "".into() },
            Reason::OpeningTimeout,
        ] {
            assert_eq!(classify(&config, &reason), Verdict::Retry(Advised::Nothing), "{reason:?}");
        }
    }

    #[test]
    fn our_own_rules_are_final() {
        let config = Retry::default();
        let violation = Reason::Violated(Violation { code: 1007, detail: "".into() });
        assert_eq!(classify(&config, &violation), Verdict::Final(ClosedBy::Policy));
        let refused = Reason::Refused { retry: false, detail: "".into() };
        assert_eq!(classify(&config, &refused), Verdict::Final(ClosedBy::Policy));
        let refused = Reason::DialFailed(DialFailure::new(DialError::RequestRefused, ""));
        assert_eq!(classify(&config, &refused), Verdict::Final(ClosedBy::Policy));
    }
}
