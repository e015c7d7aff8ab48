//! Serving on a listener until it is told to end.

use std::io;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::Service;

/// Answers requests until `shutdown` is done; then what is in flight is answered, and later requests are refused.
///
/// It returns when every connection is closed and the intake has ended, so that the caller can close the database; connections
/// that take longer than [`Settings::shutdown_seconds_max`](crate::Settings::shutdown_seconds_max) are not waited for.
///
/// # Errors
///
/// Those of the listener.
pub async fn serve(
    listener: TcpListener,
    service: Service,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let handle = service.shutdown();
    let begun = handle.clone();
    let serving = axum::serve(listener, service.router())
        .with_graceful_shutdown(async move {
            tokio::select! {
                () = shutdown => begun.begin(),
                () = begun.begun() => {}
            }
        })
        .into_future();
    tokio::pin!(serving);
    let limit = Duration::from_secs(service.settings().shutdown_seconds_max);
    let served = tokio::select! {
        served = &mut serving => served,
        () = handle.begun() => timeout(limit, serving).await.unwrap_or_else(|_| {
            tracing::warn!("some connections did not end in time");
            Ok(())
        }),
    };
    service.close().await;
    served
}
