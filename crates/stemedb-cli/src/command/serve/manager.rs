//! What the manager of services is told, if one started the program: systemd, by the protocol of `sd_notify(3)`.

/// How far the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It answers.
    Ready,
    /// It ends, which takes a while.
    Stopping,
}

/// Tells the manager, if there is one. Where it cannot be told the server goes on: it knows what to make of silence.
#[cfg(target_os = "linux")]
pub(super) fn tell(state: State) {
    let told = sd_notify::notify(&[match state {
        State::Ready => sd_notify::NotifyState::Ready,
        State::Stopping => sd_notify::NotifyState::Stopping,
    }]);
    if let Err(error) = told {
        tracing::warn!(%error, ?state, "the manager of services cannot be told");
    }
}

/// Elsewhere there is none who would listen.
#[cfg(not(target_os = "linux"))]
pub(super) const fn tell(_: State) {}
