//! Prints the digest of each seed: `perennial-determinism SEEDS STEPS`.
#![allow(clippy::print_stdout, reason = "it is its purpose")]

fn main() {
    let mut numbers = std::env::args().skip(1).map(|number| number.parse::<u64>());
    let mut next = |default| numbers.next().and_then(Result::ok).unwrap_or(default);
    let (seeds, steps) = (next(200), next(1_000));
    for seed in 0..seeds {
        println!("{seed} {:016x}", perennial_determinism::digest(seed, steps));
    }
}
