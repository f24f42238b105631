//! What the operating system tells the server: reload, drain, stop.
//!
//! A thread of its own listens, so that a second SIGTERM works even if everything else hangs.

use std::io;
use std::thread;

use tokio::signal::unix::{Signal as Stream, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGHUP: read configuration and certificates again.
    Reload,
    /// SIGTERM or SIGINT: tell everybody, and end in good order.
    Drain,
    /// SIGTERM or SIGINT once more: end at once. What was acknowledged is on disk already.
    Stop,
}

/// The signals of this process, from the moment of [`Signals::listen`].
pub struct Signals(UnboundedReceiver<Signal>);

impl Signals {
    /// Begins to listen. `stop` runs on the listening thread at the second SIGTERM or SIGINT, and
    /// is meant to end the process.
    pub fn listen(stop: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let (sender, receiver) = unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let streams = {
            let _guard = runtime.enter();
            [SignalKind::hangup(), SignalKind::terminate(), SignalKind::interrupt()].map(signal)
        };
        let [hangup, terminate, interrupt] = streams;
        let mut streams = (hangup?, terminate?, interrupt?);
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let mut draining = false;
            loop {
                let next = runtime.block_on(next(&mut streams, draining));
                draining |= next == Signal::Drain;
                let gone = sender.send(next).is_err();
                match next {
                    Signal::Stop => return stop(),
                    // Nobody reads any more, but the second signal still counts.
                    Signal::Reload | Signal::Drain if gone && !draining => return,
                    Signal::Reload | Signal::Drain => {}
                }
            }
        })?;
        Ok(Self(receiver))
    }

    /// The next one.
    pub async fn next(&mut self) -> Signal {
        // The thread ends only after it has sent what ends the process.
        self.0.recv().await.unwrap_or(Signal::Stop)
    }
}

async fn next(
    (hangup, terminate, interrupt): &mut (Stream, Stream, Stream),
    draining: bool,
) -> Signal {
    let end = if draining { Signal::Stop } else { Signal::Drain };
    tokio::select! {
        Some(()) = hangup.recv() => Signal::Reload,
        Some(()) = terminate.recv() => end,
        Some(()) = interrupt.recv() => end,
        else => Signal::Stop,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use rustix::process::{Signal as Os, getpid, kill_process};

    use super::*;

    #[test]
    fn signals_reload_drain_and_stop_even_if_nobody_listens() {
        let (stopped, stop) = mpsc::channel();
        let mut signals = Signals::listen(move || stopped.send(()).unwrap()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut send = |signal| {
            kill_process(getpid(), signal).unwrap();
            runtime.block_on(signals.next())
        };
        assert_eq!(send(Os::HUP), Signal::Reload);
        assert_eq!(send(Os::HUP), Signal::Reload);
        assert_eq!(send(Os::TERM), Signal::Drain);
        assert_eq!(send(Os::HUP), Signal::Reload, "still possible while draining");
        // From here on the server hangs: nobody asks for the next signal.
        kill_process(getpid(), Os::INT).unwrap();
        stop.recv_timeout(Duration::from_secs(10)).expect("the second one stops at once");
    }
}
