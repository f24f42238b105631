//! Opening a store: directory, engine, comparison with the high-water mark, check, new epoch.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use oc_core::record::Record;
use oc_core::shard::Epoch;
use oc_core::{BareJid, Time};

use crate::commit::Committer;
use crate::directory::Directory;
use crate::engine::{self, Engine};
use crate::envelope::Totals;
use crate::group::Group;
use crate::highwater::{Found, HighWater, Mark};
use crate::key::{self, Range};
use crate::store::{Opened, Store};
use crate::{Check, EngineKind, OpenReport, Settings, StoreError, check};

/// Events lost with the tail that get a substitute each; of more, all earlier events are given up.
const LOST_EVENTS: u64 = 10_000;
/// Kind of the event that stands for one that was lost.
pub(crate) const LOST: &str = "store.lost";

pub(crate) fn open(settings: &Settings) -> Result<(Store, OpenReport), StoreError> {
    let began = Instant::now();
    let mut report = OpenReport::default();
    let (directory, mark, found) = match settings.engine {
        EngineKind::Memory => (None, None, Found::Missing),
        EngineKind::Fjall | EngineKind::Sled => {
            let directory = Directory::open(&settings.path, settings.engine)?;
            let (mark, found) = HighWater::open(&directory.high_water())?;
            directory.clear_unfinished(matches!(found, Found::Mark(mark) if mark.commit > 0))?;
            (Some(directory), Some(mark), found)
        }
    };
    let path = directory.as_ref().map(Directory::engine).unwrap_or_default();
    let engine = engine::open(settings, &path)?;
    let totals = read_totals(engine.as_ref(), settings, found)?;
    report.fresh = totals.is_none();
    let mut totals = totals.unwrap_or_else(Totals::empty);
    if let Some(directory) = &directory {
        warn(&mut report, settings, found);
        if !report.fresh && wants_check(directory, settings) {
            note_check(&mut report, check::check(engine.as_ref(), &totals), settings);
        }
    }
    let mut lost_events = 0;
    if let Found::Mark(mark) = found {
        lost_events = compare(&mut report, &mut totals, mark, settings);
    }
    let backlog = VecDeque::from(check::trims(engine.as_ref())?);
    let opened = Arc::new(Opened { kind: settings.engine, engine, directory });
    let mut committer = begin(opened, totals, lost_events, settings)?;
    committer.backlog = backlog;
    committer.mark = mark;
    if let Some(mark) = &mut committer.mark {
        mark.set(&committer.totals)?;
        mark.sync()?;
    }
    if let Some(directory) = &committer.opened.directory
        && (report.fresh || found == Found::Missing)
    {
        directory.sync_names()?;
    }
    let store = Store::start(committer, settings)?;
    report.took = began.elapsed();
    Ok((store, report))
}

/// The totals; `None` in a store that was never used.
fn read_totals(
    engine: &dyn Engine,
    settings: &Settings,
    found: Found,
) -> Result<Option<Totals>, StoreError> {
    let unopenable = |detail: String| StoreError::Unopenable {
        path: settings.path.clone(),
        engine: settings.engine.name(),
        detail,
    };
    let stored = engine.get(key::TOTALS).map_err(|error| unopenable(error.to_string()))?;
    if let Some(stored) = stored {
        let totals = Totals::open(key::TOTALS, &stored);
        return totals.map(Some).map_err(|error| unopenable(error.to_string()));
    }
    let mut any = false;
    let scanned = engine.scan(&Range::all(), &mut |_, _| {
        any = true;
        false
    });
    scanned.map_err(|error| unopenable(error.to_string()))?;
    match found {
        _ if any => Err(unopenable("its totals are missing".to_owned())),
        Found::Mark(mark) if mark.commit > 0 => {
            Err(unopenable(format!("it is empty, but had {} commits", mark.commit)))
        }
        _ => Ok(None),
    }
}

fn wants_check(directory: &Directory, settings: &Settings) -> bool {
    settings.engine == EngineKind::Sled || directory.engine_bytes() <= settings.check_bytes
}

fn warn(report: &mut OpenReport, settings: &Settings, found: Found) {
    if settings.engine == EngineKind::Sled {
        report.warnings.push(
            "[store] engine = \"sled\" is not power-safe: a power cut can take acknowledged data \
             with it"
                .to_owned(),
        );
    }
    let known = match found {
        _ if report.fresh => return,
        Found::Missing => "is missing",
        Found::Damaged => "is damaged",
        Found::Mark(_) => return,
    };
    report.warnings.push(format!(
        "the high-water mark of {} {known}: it cannot be said whether the newest commits are lost",
        settings.path.display()
    ));
}

fn note_check(report: &mut OpenReport, check: Check, settings: &Settings) {
    let found = match &check.aborted {
        _ if check.is_clean() => String::new(),
        Some(error) => format!("after {} records it could not be read on ({error})", check.read),
        None => format!(
            "{} records cannot be read, {} are missing, {} rows are not the ones last written",
            check.unreadable, check.missing, check.rows_off
        ),
    };
    if !found.is_empty() {
        let path = settings.path.display();
        report.warnings.push(format!(
            "{path} is damaged: {found}; restore the newest backup if what is lost matters"
        ));
    }
    report.check = Some(check);
}

/// Compares a store with the mark; returns how many events are to get a substitute.
///
/// Numbers of lost commits and events are not given out again, so that a reader of the outbox who
/// saw them cannot take a later event for one he knows.
fn compare(report: &mut OpenReport, totals: &mut Totals, mark: Mark, settings: &Settings) -> u64 {
    report.missing_commits = mark.commit.saturating_sub(totals.commit);
    report.missing_entries = mark.entries.saturating_sub(totals.entries);
    report.missing_events = mark.event.saturating_sub(totals.events_last);
    if report.missing_commits == 0 && report.missing_entries == 0 && report.missing_events == 0 {
        return 0;
    }
    report.warnings.push(format!(
        "{} ends before what was acknowledged: the last {} commits are lost, with {} log entries \
         and {} events; restore the newest backup if they matter",
        settings.path.display(),
        report.missing_commits,
        report.missing_entries,
        report.missing_events,
    ));
    totals.commit = totals.commit.max(mark.commit);
    totals.entries = totals.entries.max(mark.entries);
    if report.missing_events > LOST_EVENTS {
        totals.events_last = mark.event;
        totals.events_first = mark.event + 1;
        return 0;
    }
    report.missing_events
}

/// Takes a new epoch: everything of an earlier opening is refused from here on.
fn begin(
    opened: Arc<Opened>,
    mut totals: Totals,
    lost_events: u64,
    settings: &Settings,
) -> Result<Committer, StoreError> {
    totals.epoch += 1;
    let mut group = Group::new(opened.engine.as_ref(), totals, settings.events_kept);
    let subject = BareJid::new("localhost").map_err(|_| StoreError::BadName { what: "subject" })?;
    for _ in 0..lost_events {
        let (subject, data) = (subject.clone(), Vec::new());
        group.event(&Record::Event { kind: LOST, subject, at: Time(0), data })?;
    }
    let (changes, totals, _) = group.finish();
    opened.engine.apply(changes)?;
    Ok(Committer {
        opened,
        done: Arc::default(),
        epoch: Epoch(totals.epoch),
        totals,
        mark: None,
        backlog: VecDeque::new(),
        group_records: settings.group_records.max(1),
        group_bytes: settings.group_bytes.max(1),
        events_kept: settings.events_kept,
        stopped: None,
    })
}
