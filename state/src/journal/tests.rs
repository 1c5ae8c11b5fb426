//! The end of a journal is found, and damage is never taken for an end, nor for data.

use std::sync::Arc;

use super::*;
use crate::conformance::trial_disk::TrialDisk;
use crate::disk::Disk;

const FOLDER: &str = "/journal";
/// Small, so that a flip costs little; groups still go on beyond it.
const SMALL: u64 = 64;

struct Trial {
    disk: TrialDisk,
    bodies: Vec<Vec<u8>>,
    /// The file, cut behind its last frame.
    bytes: Vec<u8>,
    /// Where each group begins, and the end.
    groups: Vec<usize>,
}

fn open(disk: &TrialDisk, segment_bytes: u64) -> Result<(Journal, Vec<Vec<u8>>), StoreError> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut found = Vec::new();
    let recovered = recover(&disk, Path::new(FOLDER), segment_bytes, None, &mut |frame| {
        found.push(frame.body);
        Ok(())
    })?;
    Ok((recovered.unwrap().journal, found))
}

fn write(journal: &mut Journal, bodies: &[Vec<u8>]) {
    let mut group = journal.begin().unwrap();
    for body in bodies {
        group.push(Kind::Inline, 1, body);
    }
    journal.write(&group).unwrap();
}

/// Groups of three frames.
fn trial(groups: usize) -> Trial {
    let disk = TrialDisk::default();
    let (mut journal, _) = open(&disk, SEGMENT_BYTES_MIN).unwrap();
    let mut trial = Trial {
        disk,
        bodies: Vec::new(),
        bytes: Vec::new(),
        groups: Vec::new(),
    };
    for group in 0..groups {
        trial.groups.push(usize::try_from(journal.end().offset).unwrap());
        let bodies: Vec<Vec<u8>> = (0..3)
            .map(|number| format!("{{\"group\":{group},\"number\":{number}}}").into_bytes())
            .collect();
        write(&mut journal, &bodies);
        trial.bodies.extend(bodies);
    }
    let end = usize::try_from(journal.end().offset).unwrap();
    trial.groups.push(end);
    trial.bytes = trial
        .disk
        .rot(&path(), |bytes| {
            bytes.truncate(end);
            bytes.clone()
        })
        .unwrap();
    trial
}

fn path() -> PathBuf {
    segment_path(Path::new(FOLDER), 1)
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_off() {
    let trial = trial(4);
    let last_group = trial.groups[3];
    for length in last_group..=trial.bytes.len() {
        for zeros in [0, 200] {
            let mut bytes = trial.bytes[..length].to_vec();
            bytes.resize(length + zeros, 0);
            trial.disk.rot(&path(), |now| *now = bytes).unwrap();
            let (mut journal, found) = open(&trial.disk, SMALL).unwrap();
            assert!(found.len() >= 9, "byte {length}: an acknowledged group is gone");
            assert_eq!(found, trial.bodies[..found.len()], "byte {length}");
            // It goes on where it ended.
            let more = vec![b"{\"more\":1}".to_vec()];
            journal.segment_bytes = SEGMENT_BYTES_MIN;
            write(&mut journal, &more);
            let (_, again) = open(&trial.disk, SMALL).unwrap();
            assert_eq!(again, [&found[..], &more[..]].concat(), "byte {length}");
        }
    }
}

#[test]
fn a_group_torn_in_any_order_is_cut_off() {
    // Of a group that was not synced, later frames may be there and earlier ones not.
    let trial = trial(4);
    let (start, end) = (trial.groups[3], trial.groups[4]);
    let frame = (end - start) / 3;
    for lost in [
        start..start + frame,
        start + frame..start + 2 * frame,
        start + 10..start + 20,
    ] {
        let mut bytes = trial.bytes.clone();
        bytes[lost.clone()].fill(0);
        trial.disk.rot(&path(), |now| *now = bytes).unwrap();
        let (_, found) = open(&trial.disk, SMALL).unwrap();
        assert!(
            (9..12).contains(&found.len()),
            "{lost:?} is lost: {} frames",
            found.len()
        );
        assert_eq!(found, trial.bodies[..found.len()]);
    }
}

#[test]
fn a_flip_of_any_byte_is_damage_or_a_torn_tail() {
    let trial = trial(3);
    let last_group = trial.groups[2];
    let (mut damaged, mut cut) = (0, 0);
    for place in 0..trial.bytes.len() {
        for bit in [0, 3, 7] {
            let mut bytes = trial.bytes.clone();
            bytes[place] ^= 1 << bit;
            trial.disk.rot(&path(), |now| *now = bytes).unwrap();
            match open(&trial.disk, SMALL) {
                Err(StoreError::Damaged { place: named, .. }) => {
                    assert!(named.contains("00000001.journal at byte"), "{named}");
                    damaged += 1;
                }
                Err(other) => panic!("byte {place}: {other}"),
                Ok((_, found)) => {
                    assert_eq!(found, trial.bodies[..found.len()], "byte {place}");
                    assert!(
                        place >= last_group && found.len() >= 6,
                        "byte {place}: damage was cut off"
                    );
                    cut += 1;
                }
            }
        }
    }
    assert!(damaged > cut && cut > 0, "{damaged} damaged, {cut} cut off");
}

#[test]
fn zero_bytes_over_acknowledged_frames_are_no_end() {
    let trial = trial(4);
    let mut bytes = trial.bytes.clone();
    bytes[trial.groups[1]..trial.groups[2]].fill(0);
    trial.disk.rot(&path(), |now| *now = bytes).unwrap();
    assert!(matches!(
        open(&trial.disk, SMALL),
        Err(StoreError::Damaged { .. })
    ));
}

#[test]
fn segments_follow_each_other_without_gaps() {
    let disk = TrialDisk::default();
    let (mut journal, _) = open(&disk, SEGMENT_BYTES_MIN).unwrap();
    let bodies: Vec<Vec<u8>> = (0..200_u32)
        .map(|number| {
            let mut body = number.to_string().into_bytes();
            body.resize(INLINE_BYTES_MAX - usize::from(number % 2 == 0), b' ');
            body
        })
        .collect();
    for pair in bodies.chunks(2) {
        write(&mut journal, pair);
    }
    assert!(journal.end().segment >= 6, "{:?}", journal.end());
    let end = journal.end();
    let (journal, found) = open(&disk, SEGMENT_BYTES_MIN).unwrap();
    assert!(found == bodies);
    assert_eq!(journal.end(), end);
    // A closed segment ends with its last frame; cutting it is damage.
    let second = segment_path(Path::new(FOLDER), 2);
    disk.rot(&second, |bytes| bytes.truncate(bytes.len() - 1))
        .unwrap();
    assert!(matches!(
        open(&disk, SEGMENT_BYTES_MIN),
        Err(StoreError::Damaged { .. })
    ));
    disk.rot(&second, |bytes| bytes.push(b' ')).unwrap();
    assert!(open(&disk, SEGMENT_BYTES_MIN).is_ok());
    disk.remove(&second).unwrap();
    let Err(StoreError::Damaged { place, .. }) = open(&disk, SEGMENT_BYTES_MIN) else {
        panic!("a missing segment");
    };
    assert!(place.ends_with("00000002.journal"), "{place}");
}

#[test]
fn a_bounded_number_of_segments_is_open_however_many_are_read() {
    let most = reader::OPEN_SEGMENTS_MAX;
    for (segments, kept) in [(most - 1, most - 1), (most, most), (most + 1, most)] {
        let disk = TrialDisk::default();
        let (mut journal, _) = open(&disk, SMALL).unwrap();
        while usize::try_from(journal.end().segment).unwrap() < segments {
            write(&mut journal, &[b"{}".to_vec()]);
        }
        let end = journal.end();
        drop(journal);
        assert_eq!(disk.open_files(), 0);

        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let recovered = recover(&shared, Path::new(FOLDER), SMALL, None, &mut |_| Ok(())).unwrap();
        let Recovered { journal, reader } = recovered.unwrap();
        drop(journal);
        assert_eq!(disk.open_files(), kept, "{segments} segments");
        // One that was closed is opened again, and counting bytes opens none.
        reader.frame(Position::start_of(2)).unwrap();
        assert_eq!(disk.open_files(), kept, "{segments} segments");
        drop(reader);
        let fresh = JournalReader::new(shared, PathBuf::from(FOLDER));
        assert!(fresh.bytes(end).unwrap() > 64 * u64::try_from(segments).unwrap());
        assert_eq!(disk.open_files(), 0);
    }
}

#[test]
fn a_segment_that_was_never_born_is_removed() {
    let trial = trial(2);
    let next = segment_path(Path::new(FOLDER), 2);
    for head in [Vec::new(), vec![0; 300]] {
        trial.disk.create(&next).unwrap();
        trial.disk.rot(&next, |bytes| *bytes = head).unwrap();
        let (_, found) = open(&trial.disk, SMALL).unwrap();
        assert_eq!(found, trial.bodies);
        assert!(trial.disk.open(&next).is_err());
    }
}

#[test]
fn positions_survive_as_numbers() {
    for number in [0, 64, u64::from(u32::MAX), 1 << 32 | 64, u64::MAX] {
        assert_eq!(Position::from_number(number).to_number(), number);
    }
}
