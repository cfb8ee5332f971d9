//! Replays, without a fuzzer, the inputs in `fuzz/corpus` that fuzzing found worth keeping.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use perennial_fuzz_targets::TARGETS;

/// All of them together stay small.
const MOST: usize = 300 << 10;

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz").join(folder);
    let entries = std::fs::read_dir(&folder);
    let entries = entries.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.expect("it can be read").path()).collect();
    files.sort();
    files
}

/// Replays what was kept for a target; each failure says which input it was.
fn replay(target: &str) {
    let (_, run) = TARGETS.iter().find(|(name, _)| *name == target).expect("there is one");
    let files = files(&format!("corpus/{target}"));
    assert!(files.len() >= 5, "{} inputs", files.len());
    for file in files {
        let input = std::fs::read(&file).expect("it can be read");
        let outcome = catch_unwind(AssertUnwindSafe(|| run(&input)));
        // Behind what was wrong, which is said above.
        assert!(outcome.is_ok(), "with {}", file.display());
    }
}

macro_rules! replays {
    ($($target:ident)*) => {
        $(#[test]
        fn $target() {
            replay(stringify!($target));
        })*

        #[test]
        fn every_target_is_replayed_and_the_corpus_is_small() {
            let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, [$(stringify!($target)),*]);
            let doors = files("fuzz_targets");
            let doors: Vec<_> = doors.iter().filter_map(|file| file.file_stem()).collect();
            assert_eq!(doors, names);
            let size: usize = names
                .iter()
                .flat_map(|name| files(&format!("corpus/{name}")))
                .map(|file| usize::try_from(file.metadata().expect("it is there").len()).unwrap())
                .sum();
            assert!(size <= MOST, "{size} bytes");
        }
    };
}

replays! { config connection frame_handler handshake session trace wire }

/// Inputs that nobody has chosen; the first step of fuzzing, with the same bytes each time.
#[test]
fn any_bytes_will_do() {
    let mut state = 7_u64;
    let mut byte = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    for length in (0..400).chain([1_000, 2_000]) {
        let input: Vec<u8> = (0..length).map(|_| byte()).collect();
        for (target, run) in TARGETS {
            let outcome = catch_unwind(AssertUnwindSafe(|| run(&input)));
            assert!(outcome.is_ok(), "{target} with {input:?}");
        }
    }
}
