use std::path::Path;

use stemedb_storage::engine::{Engine, Fault, Level, Pair, Range, RedbEngine};

use super::{Broken, Call, Deed, Defect, DiskFile, Loss, Moment, Script, StreamModel};
use crate::disk::{Effect, Operation, Random, SimDisk};

fn pair(number: u8) -> Pair {
    (vec![b'k', number].into(), vec![number].into())
}

fn keys(engine: &dyn Engine) -> Vec<u8> {
    let pairs = engine.reader().unwrap().range(Range::ALL).unwrap();
    pairs.map(|pair| pair.unwrap().0[1]).collect()
}

fn redb(disk: &SimDisk, process: &Script) -> Result<RedbEngine, Fault> {
    let file = DiskFile::open(disk, Path::new("/db/redb"), process).unwrap();
    RedbEngine::on(file)
}

#[test]
fn a_stream_keeps_a_prefix_of_what_was_not_synced() {
    let mut lengths = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let model = StreamModel::new();
        let engine = model.open(&Script::new());
        for number in 0..6 {
            engine.commit(vec![pair(number)], Level::Visible).unwrap();
            if number == 2 {
                engine.sync().unwrap();
            }
        }
        model.crash(&mut Random::new(seed), Loss::Unsynced);
        let kept = keys(&*model.open(&Script::new()));
        let expected: Vec<u8> = (0..6).take(kept.len()).collect();
        assert_eq!(kept, expected);
        lengths.insert(kept.len());
    }
    assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [3, 4, 5, 6]);
}

#[test]
fn a_stream_with_a_hole_has_what_comes_behind_it() {
    let mut holes = 0;
    for seed in 0..20 {
        let model = StreamModel::new();
        let engine = model.open(&Script::new());
        for number in 0..4 {
            engine.commit(vec![pair(number)], Level::Durable).unwrap();
        }
        model.crash(&mut Random::new(seed), Loss::Hole);
        let kept = keys(&*model.open(&Script::new()));
        holes += usize::from(kept.len() == 3 && kept.ends_with(&[3]));
    }
    assert!(holes > 5, "{holes}");
}

#[test]
fn what_a_failed_sync_left_behind_no_later_one_makes_durable() {
    let model = StreamModel::new();
    let engine = model.open(&Script::new());
    engine.commit(vec![pair(0)], Level::Visible).unwrap();
    model.fail_next_sync();
    engine.sync().unwrap_err();
    assert!(engine.sync_failed());
    engine.sync().unwrap();
    assert_eq!(model.batches(), (1, 0));
    assert_eq!(keys(&*engine), [0]);
}

#[test]
fn redb_on_the_simulated_disk_keeps_what_was_durable() {
    for seed in 0..40 {
        let disk = SimDisk::new();
        disk.put(Path::new("/db/redb"), Vec::new());
        let engine = redb(&disk, &Script::new()).unwrap();
        engine.commit(vec![pair(1)], Level::Durable).unwrap();
        engine.commit(vec![pair(2)], Level::Visible).unwrap();
        let passing = Random::new(seed).below(8);
        disk.plan(None, passing, Effect::PowerLoss);
        let is_kept = engine.commit(vec![pair(3)], Level::Durable).is_ok();
        drop(engine);
        disk.crash(seed);
        let found = keys(&redb(&disk, &Script::new()).unwrap());
        let whole = found == [1, 2, 3];
        assert!(whole || (!is_kept && found == [1]), "{seed}: {found:?}");
    }
}

#[test]
fn errors_of_the_disk_go_through_redb() {
    let disk = SimDisk::new();
    disk.put(Path::new("/db/redb"), Vec::new());
    let engine = redb(&disk, &Script::new()).unwrap();
    let full = std::io::ErrorKind::StorageFull;
    disk.plan(Some(Operation::Write), 0, Effect::Fail(full));
    let fault = engine.commit(vec![pair(1)], Level::Durable).unwrap_err();
    assert!(
        matches!(&fault, Fault::Io(error) if error.kind() == full),
        "{fault:?}"
    );
}

#[test]
fn short_and_interrupted_transfers_are_gone_on_with() {
    let disk = SimDisk::new();
    disk.put(Path::new("/db/redb"), Vec::new());
    for (passing, operation) in [(4, Operation::Read), (2, Operation::Write)] {
        let interrupted = Effect::Fail(std::io::ErrorKind::Interrupted);
        disk.plan(Some(operation), passing, Effect::Short);
        disk.plan(Some(operation), passing + 1, interrupted);
    }
    let engine = redb(&disk, &Script::new()).unwrap();
    engine.commit(vec![pair(1)], Level::Durable).unwrap();
    drop(engine);
    assert_eq!(keys(&redb(&disk, &Script::new()).unwrap()), [1]);
}

#[test]
fn a_script_meddles_with_the_call_that_it_names() {
    let deeds = [Deed::Fail, Deed::FailLate, Deed::Kill, Deed::KillLate];
    let expected = [
        (vec![0, 2], true),
        (vec![0, 1, 2], true),
        (vec![0], false),
        (vec![0, 1], false),
    ];
    for (deed, (found, goes_on)) in deeds.into_iter().zip(expected) {
        let model = StreamModel::new();
        let process = Script::new();
        let engine = process.wrap(model.open(&process));
        process.plan(1, deed);
        let outcomes =
            [0, 1, 2].map(|number| engine.commit(vec![pair(number)], Level::Visible).is_ok());
        assert_eq!(outcomes, [true, false, goes_on], "{deed:?}");
        assert_eq!(keys(&*model.open(&Script::new())), found, "{deed:?}");
    }
}

#[test]
fn a_stalled_call_waits_until_it_is_released() {
    let model = StreamModel::new();
    let process = Script::new();
    let engine = process.wrap(model.open(&process));
    process.plan(0, Deed::Stall);
    std::thread::scope(|scope| {
        let call = scope.spawn(|| engine.commit(vec![pair(0)], Level::Visible).is_ok());
        process.wait_stalled();
        assert_eq!(model.batches().0, 0);
        process.release();
        assert!(call.join().unwrap());
    });
    assert_eq!(model.batches().0, 1);
}

#[test]
fn an_observer_sees_every_call_from_both_sides() {
    let model = StreamModel::new();
    let process = Script::new();
    let engine = process.wrap(model.open(&process));
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let noted = std::sync::Arc::clone(&seen);
    process.observe(move |moment| noted.lock().unwrap().push((moment, model.batches().0)));
    engine.commit(vec![pair(0)], Level::Visible).unwrap();
    let name = StreamModel::NAME;
    let expected = [
        (Moment::Before(name, Call::Commit), 0),
        (Moment::After(name, Call::Commit), 1),
    ];
    assert_eq!(*seen.lock().unwrap(), expected);
    assert_eq!(process.calls(), [(name, Call::Commit)]);
}

#[test]
fn a_broken_engine_lacks_what_it_is_said_to_lack() {
    let model = StreamModel::new();
    let engine = Broken::wrap(model.open(&Script::new()), Defect::SyncIgnored);
    engine.commit(vec![pair(0)], Level::Durable).unwrap();
    engine.sync().unwrap();
    assert_eq!(model.batches(), (1, 0));

    let engine = Broken::wrap(model.open(&Script::new()), Defect::ViewsMove);
    let view = engine.reader().unwrap();
    engine.commit(vec![pair(1)], Level::Visible).unwrap();
    assert!(view.get(&pair(1).0).unwrap().is_some());
}
