//! Shell commands that leave nothing behind: each has a process group of its own on Unix, and what is
//! still running when it is no longer wanted is killed with all that it has started. Elsewhere only
//! the shell is. What ends this process otherwise than by an exit, such as SIGKILL or Ctrl-\, leaves it.

use std::io;
use std::process::{Child, ChildStdout, Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The commands that run.
struct Running {
    leaders: Vec<Child>,
    /// The process ends: nothing begins any more.
    over: bool,
}

static RUNNING: Mutex<Running> = Mutex::new(Running { leaders: Vec::new(), over: false });

// Leaders are waited for by whoever has taken them out, or holds this: the id of one that is in it
// stands for nothing else.
fn running() -> MutexGuard<'static, Running> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Kills every command that runs, and lets no other begin. Comes before every exit of the process.
pub(crate) fn end_all() {
    let mut running = running();
    running.over = true;
    running.leaders.iter_mut().for_each(kill);
}

/// A command that runs. Dropping it kills it, if it did not end.
pub(crate) struct Group {
    id: u32,
    /// Its output, if that is piped.
    pub(crate) stdout: Option<ChildStdout>,
}

impl Group {
    pub(crate) fn start(command: &mut Command) -> io::Result<Self> {
        let mut running = running();
        if running.over {
            return Err(io::Error::other("the run is over"));
        }
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        let mut leader = command.spawn()?;
        let group = Self { id: leader.id(), stdout: leader.stdout.take() };
        running.leaders.push(leader);
        Ok(group)
    }

    /// Its status, if it has ended. What it started may outlive it then.
    pub(crate) fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        let mut running = running();
        let Some(index) = running.leaders.iter().position(|leader| leader.id() == self.id) else {
            return Ok(None);
        };
        let status = running.leaders[index].try_wait()?;
        if status.is_some() {
            // It tells the same again, at once.
            return running.leaders.swap_remove(index).wait().map(Some);
        }
        Ok(None)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let mut running = running();
        let Some(index) = running.leaders.iter().position(|leader| leader.id() == self.id) else {
            return;
        };
        // Before it leaves the list, or the process might end in between and leave it.
        kill(&mut running.leaders[index]);
        let mut leader = running.leaders.swap_remove(index);
        drop(running);
        let _ = leader.wait();
    }
}

/// Kills a leader that nobody has waited for, and its group. It may have ended just now.
fn kill(leader: &mut Child) {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, Signal, kill_process_group};
        if let Some(group) = i32::try_from(leader.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
    #[cfg(not(unix))]
    let _ = leader.kill();
}
