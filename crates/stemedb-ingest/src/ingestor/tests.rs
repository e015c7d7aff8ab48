//! A thread that the operating system refuses.

use stemedb_storage::MemoryStore;
use stemedb_wal::AppendError;

use super::*;

#[test]
fn a_worker_without_a_thread_says_so_wherever_it_is_asked() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open(directory.path()).unwrap();
    let journal = Arc::new(Mutex::new(journal));
    let options = Options {
        behind_bytes_max: BEHIND_BYTES_MIN,
        ..Options::default()
    };
    let store = Arc::new(MemoryStore::new());
    let ingestor = Ingestor::with_options(Arc::clone(&journal), store, options);
    ingestor.fail_to_start(io::ErrorKind::WouldBlock.into());
    assert!(matches!(
        ingestor.wait_applied(0).wait(),
        Err(Error::Start(_))
    ));
    assert!(matches!(ingestor.health(), Health::Failed(Error::Start(_))));
    let mut journal = journal.blocking_lock();
    journal.append(vec![1; 1 << 20]).unwrap();
    assert!(matches!(
        journal.append(vec![2; 10]),
        Err(AppendError::Backpressure { .. })
    ));
    assert!(matches!(ingestor.stop(), Err(Error::Start(_))));
}
