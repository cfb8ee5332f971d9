//! A strategy for long scripts that shrink to short ones.

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use proptest::strategy::{NewTree, Strategy, ValueTree};
use proptest::test_runner::TestRunner;

/// As many of one strategy's values as `length` says, and as few as show the same after shrinking:
/// first halves are left out, then quarters, down to single ones; then what is left is shrunk.
/// (`proptest`'s own vectors never shrink below the length that they may be drawn with.)
pub fn script<S: Strategy>(of: S, length: Range<usize>) -> Script<S> {
    Script { of, length }
}

/// See [`script`].
#[derive(Clone, Debug)]
pub struct Script<S> {
    of: S,
    length: Range<usize>,
}

impl<S: Strategy> Strategy for Script<S> {
    type Tree = ScriptTree<S::Tree>;
    type Value = Vec<S::Value>;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let length = self.length.clone().new_tree(runner)?.current();
        let parts = (0..length).map(|_| self.of.new_tree(runner)).collect::<Result<Vec<_>, _>>()?;
        Ok(ScriptTree { chunk: parts.len(), parts, at: 0, last: Last::Nothing })
    }
}

/// A script that is being shrunk.
pub struct ScriptTree<T> {
    parts: Vec<T>,
    /// How many are left out at once; 0 when that is over.
    chunk: usize,
    at: usize,
    last: Last<T>,
}

impl<T> fmt::Debug for ScriptTree<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptTree").field("parts", &self.parts.len()).finish_non_exhaustive()
    }
}

/// What was simplified last, should it have to be taken back.
enum Last<T> {
    Nothing,
    LeftOut(Vec<T>),
    Simplified,
}

impl<T: ValueTree> ValueTree for ScriptTree<T> {
    type Value = Vec<T::Value>;

    fn current(&self) -> Self::Value {
        self.parts.iter().map(ValueTree::current).collect()
    }

    fn simplify(&mut self) -> bool {
        while self.chunk > 0 {
            if self.at < self.parts.len() {
                let end = self.parts.len().min(self.at + self.chunk);
                self.last = Last::LeftOut(self.parts.drain(self.at..end).collect());
                return true;
            }
            self.at = 0;
            self.chunk /= 2;
        }
        while let Some(part) = self.parts.get_mut(self.at) {
            if part.simplify() {
                self.last = Last::Simplified;
                return true;
            }
            self.at += 1;
        }
        self.last = Last::Nothing;
        false
    }

    fn complicate(&mut self) -> bool {
        match core::mem::replace(&mut self.last, Last::Nothing) {
            Last::Nothing => false,
            Last::LeftOut(parts) => {
                let count = parts.len();
                self.parts.splice(self.at..self.at, parts);
                self.at += count;
                true
            }
            Last::Simplified => {
                let more = self.parts.get_mut(self.at).is_some_and(ValueTree::complicate);
                if more {
                    self.last = Last::Simplified;
                } else {
                    self.at += 1;
                }
                more
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::test_runner::{Config, TestError, TestRunner};

    #[test]
    fn it_shrinks_to_what_matters() {
        let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
        // Wrong are those with a number over 500 and a later one over 700.
        let wrong = |numbers: &[u32]| {
            let first = numbers.iter().position(|number| *number > 500);
            first.is_some_and(|first| numbers[first + 1..].iter().any(|number| *number > 700))
        };
        let found = runner.run(&script(0..1_000_u32, 100..200), |numbers| {
            assert!(!wrong(&numbers));
            Ok(())
        });
        let Err(TestError::Fail(_, least)) = found else { panic!("{found:?}") };
        assert_eq!(least, [501, 701]);
    }
}
