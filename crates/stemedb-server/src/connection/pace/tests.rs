use std::future::poll_fn;
use std::io::{ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::io::{
    AsyncRead as _, AsyncReadExt as _, AsyncWrite as _, AsyncWriteExt as _, DuplexStream, ReadBuf,
    duplex,
};
use tokio::time::advance;

use super::{JOINED_BYTES_MAX, Lingering, Pace, Paced, Patience};
use crate::courtesy::poll_in_turn;
use crate::crowd::Standing;
use crate::limits::{COURTESY_MICROS, LINGER_BURST_BYTES, LINGER_PAUSE_MS_MAX};

/// What the client has sent and nobody has read.
const SENT: usize = 1 << 20;

/// A second for everything.
fn patience() -> Patience {
    let second = Duration::from_secs(1);
    Patience {
        head: second,
        idle: second,
        write: second,
        bytes_per_second_min: 0,
    }
}

/// A connection in the middle of a body, and its client, which has sent what finds room.
async fn connection(places: usize) -> (Paced<DuplexStream>, DuplexStream) {
    let (mut client, server) = duplex(SENT);
    client.write_all(&vec![0; SENT]).await.unwrap();
    let lingering = Lingering::new(places);
    let pace = Pace::new(Standing::new());
    drop(pace.begin(true));
    let server = Paced::new(server, pace, (patience(), lingering));
    (server, client)
}

async fn shut_down(server: &mut Paced<DuplexStream>) {
    let ended = poll_fn(|cx| Pin::new(&mut *server).poll_shutdown(cx)).await;
    ended.unwrap();
}

#[tokio::test]
async fn what_comes_behind_the_last_answer_is_read_bit_by_bit() {
    let (mut server, mut client) = connection(1).await;
    // It has read a piece, and waits before the next one.
    assert!(shut_down(&mut server).now_or_never().is_none());
    let more = client.write(&vec![0; SENT]).now_or_never();
    assert_eq!(more.unwrap().unwrap(), LINGER_BURST_BYTES);
    // Then it goes on, up to where the client ends.
    drop(client);
    shut_down(&mut server).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_on_and_on_is_read_until_its_turn_is_over() {
    let (mut server, _client) = connection(1).await;
    let woken = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut cx = Context::from_waker(&waker);
    let mut piece = [0; 1024];
    let mut read = |took| {
        let mut buffer = ReadBuf::new(&mut piece);
        poll_in_turn(|| {
            advance(Duration::from_micros(took)).now_or_never();
            let read = Pin::new(&mut server).poll_read(&mut cx, &mut buffer);
            (read.is_ready(), buffer.filled().len())
        })
    };
    assert_eq!(read(COURTESY_MICROS - 1), (true, 1024));
    assert_eq!(woken.0.load(Ordering::Relaxed), 0);
    assert_eq!(read(COURTESY_MICROS), (false, 0));
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    // It goes on with its next turn.
    assert_eq!(read(0), (true, 1024));
}

#[tokio::test]
async fn those_that_are_read_share_one_pace() {
    let lingering = Lingering::new(100);
    let one = lingering.begin().unwrap();
    let alone = lingering.pause();
    assert!(alone > Duration::ZERO);
    let two = lingering.begin().unwrap();
    assert_eq!(lingering.pause(), alone * 2);
    drop(one);
    assert_eq!(lingering.pause(), alone);
    let many: Vec<_> = (0..99).map(|_| lingering.begin().unwrap()).collect();
    assert!(lingering.begin().is_none());
    assert_eq!(
        lingering.pause(),
        Duration::from_millis(LINGER_PAUSE_MS_MAX)
    );
    drop((two, many));
}

#[tokio::test]
async fn where_enough_are_read_already_a_connection_is_closed_at_once() {
    let (mut server, _client) = connection(0).await;
    assert!(shut_down(&mut server).now_or_never().is_some());
}

#[tokio::test]
async fn pieces_are_sent_one_behind_the_other_short_or_long() {
    for body in [
        0,
        1,
        JOINED_BYTES_MAX - 4,
        JOINED_BYTES_MAX - 3,
        3 * JOINED_BYTES_MAX,
    ] {
        let (mut server, mut client) = connection(1).await;
        let body = vec![b'b'; body];
        let pieces = [IoSlice::new(b"head"), IoSlice::new(&body)];
        let sent = server.write_vectored(&pieces).await.unwrap();
        drop(server);
        let mut read = Vec::new();
        client.read_to_end(&mut read).await.unwrap();
        let whole = [b"head", &body[..]].concat();
        assert_eq!(read, whole[..sent]);
        // What is short is sent whole.
        assert!(whole.len() > JOINED_BYTES_MAX || sent == whole.len());
    }
}

/// How often a task was woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// hyper tries to read behind an answer once, which may still wait to be taken then.
#[tokio::test(start_paused = true)]
async fn whoever_takes_an_answer_late_is_waited_for_no_longer_than_others() {
    let (mut client, server) = duplex(10);
    let pace = Pace::new(Standing::new());
    drop(pace.begin(false));
    let mut server = Paced::new(server, pace, (patience(), Lingering::new(1)));
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let cx = &mut Context::from_waker(&waker);
    let mut buffer = [0; 10];
    for is_taken in [true, false] {
        let written = Pin::new(&mut server).poll_write(cx, &[0; 10]);
        assert_eq!(written.is_ready(), is_taken);
    }
    // At the last moment, so that the end of that time wakes nobody any more.
    advance(patience().write).await;
    client.read_exact(&mut buffer).await.unwrap();
    wakes.0.store(0, Ordering::SeqCst);
    let read = Pin::new(&mut server).poll_read(cx, &mut ReadBuf::new(&mut buffer));
    assert!(read.is_pending());
    assert!(Pin::new(&mut server).poll_write(cx, &[0; 10]).is_ready());
    assert_eq!(wakes.0.load(Ordering::SeqCst), 1);
    let silent = poll_fn(|cx| Pin::new(&mut server).poll_read(cx, &mut ReadBuf::new(&mut buffer)));
    assert_eq!(silent.await.unwrap_err().kind(), ErrorKind::TimedOut);
}
