//! A timer that is finer than tokio's, whose wheel turns once a millisecond.
//!
//! On Linux a timerfd wakes the runtime's own epoll at the nanosecond asked for, as far as the scheduler lets it.
//! Elsewhere, or when no descriptor is to be had, it is tokio's timer. It never wakes early and never spins.

use std::time::Instant;

/// A timer for one waiter at a time.
#[derive(Debug)]
pub(super) struct Timer {
    #[cfg(target_os = "linux")]
    precise: Option<precise::Precise>,
}

impl Timer {
    /// A timer that is not set.
    #[cfg(target_os = "linux")]
    pub(super) fn new() -> Self {
        let precise = precise::Precise::new();
        if let Err(error) = &precise {
            tracing::debug!(%error, "no timerfd, delays will be coarse");
        }
        Self { precise: precise.ok() }
    }

    /// A timer that is not set.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn new() -> Self {
        Self {}
    }

    /// Returns at `due` or soon after, never before. May be dropped and called again with another instant.
    pub(super) async fn until(&mut self, due: Instant) {
        #[cfg(target_os = "linux")]
        if let Some(precise) = &mut self.precise {
            match precise.until(due).await {
                Ok(()) => return,
                Err(error) => tracing::debug!(%error, "a timerfd failed, this delay will be coarse"),
            }
        }
        tokio::time::sleep_until(due.into()).await;
    }
}

#[cfg(target_os = "linux")]
mod precise {
    use std::io;
    use std::os::fd::{AsFd, AsRawFd, RawFd};
    use std::time::Instant;

    use nix::errno::Errno;
    use nix::sys::time::TimeSpec;
    use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    /// A timerfd on the monotonic clock, which is also the clock of [`Instant`].
    #[derive(Debug)]
    pub(super) struct Precise {
        timer: AsyncFd<Descriptor>,
        set_to: Option<Instant>,
    }

    #[derive(Debug)]
    struct Descriptor(TimerFd);

    impl AsRawFd for Descriptor {
        fn as_raw_fd(&self) -> RawFd {
            self.0.as_fd().as_raw_fd()
        }
    }

    impl Precise {
        pub(super) fn new() -> io::Result<Self> {
            let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
            let timer = Descriptor(TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?);
            #[expect(
                deprecated,
                reason = "the successor is unsafe for types that lie about their descriptor; ours owns it"
            )]
            let timer = AsyncFd::with_interest(timer, Interest::READABLE)?;
            Ok(Self { timer, set_to: None })
        }

        pub(super) async fn until(&mut self, due: Instant) -> io::Result<()> {
            loop {
                let left = due.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Ok(());
                }
                if self.set_to != Some(due) {
                    let expiration = Expiration::OneShot(TimeSpec::from(left));
                    self.timer.get_ref().0.set(expiration, TimerSetTimeFlags::empty())?;
                    self.set_to = Some(due);
                }
                let mut ready = self.timer.readable().await?;
                match self.timer.get_ref().0.wait() {
                    Ok(()) => self.set_to = None,
                    // Readiness of an earlier setting.
                    Err(Errno::EAGAIN) => {}
                    Err(error) => return Err(error.into()),
                }
                ready.clear_ready();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn it_never_returns_before_the_instant_also_when_set_anew() {
        let mut timer = Timer::new();
        for microseconds in [0, 50, 300, 2_500] {
            let due = Instant::now() + Duration::from_micros(microseconds);
            timer.until(due).await;
            assert!(Instant::now() >= due);
        }
        // Given up half-way for a later instant, and for an earlier one.
        let start = Instant::now();
        tokio::select! {
            () = timer.until(start + Duration::from_millis(5)) => panic!("too early"),
            () = tokio::task::yield_now() => {}
        }
        timer.until(start + Duration::from_millis(8)).await;
        assert!(start.elapsed() >= Duration::from_millis(8));
        tokio::select! {
            () = timer.until(start + Duration::from_hours(1)) => panic!("too early"),
            () = tokio::task::yield_now() => {}
        }
        timer.until(start + Duration::from_millis(9)).await;
        assert!(start.elapsed() >= Duration::from_millis(9));
    }
}
