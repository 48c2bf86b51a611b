//! One store's items into another: what differs is sent, what was sent before is not, and at the end all of it is read
//! back and compared. A copy that was stopped goes on where it was, because what is there already is known by its digest.

use std::collections::BTreeMap;

use super::{Digest, Record, Store, check_model};
use crate::filter::Items;
use crate::{Error, Result};

/// Records that are in memory at a time.
const PORTION: usize = 256;
/// What the copy notes in the store that it fills: whose copy it is.
pub(crate) const COPIED_FROM: &str = "copied_from";

/// How a copy is made.
pub struct Copying<'a> {
    /// Remove from the copy what the other store has not.
    pub delete: bool,
    /// Fill a store that has items of its own, or those of a third one.
    pub force: bool,
    /// Is told how many records were read, for copying and for comparing, and answers whether to go on.
    pub goes_on: &'a dyn Fn(u64) -> bool,
}

/// What a copy did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Items that the source has.
    pub items: u64,
    /// Items that were sent.
    pub sent: u64,
    /// Items that were there, as they are in the source.
    pub unchanged: u64,
    /// Items that the source has not, and that were removed.
    pub removed: u64,
    /// Items that the source has not, and that are still there.
    pub surplus: u64,
    /// A checksum of all of them as they were read back from the copy; nothing where the copy was stopped before.
    pub digest: Option<Digest>,
}

/// The numbers of a portion: from behind the last of the one before it to its own last, both included.
#[derive(Clone, Copy)]
struct Range {
    first: i64,
    last: i64,
}

/// Copies a store's items into another one that was filled by the same model, and reads them back.
///
/// # Errors
/// Another model, a store with items of its own, one that cannot be read or written, or a copy that is not equal.
pub fn copy(from: &dyn Store, to: &dyn Store, copying: &Copying<'_>) -> Result<Copied> {
    check_model(to, &from.model()?)?;
    claim(from, to, copying.force)?;
    let copied = send_and_compare(from, to, copying);
    if copied.is_err() {
        // What is still on its way fails for the same reason, and is not to be told to whoever comes next.
        let _ = to.settle();
    }
    copied
}

fn send_and_compare(from: &dyn Store, to: &dyn Store, copying: &Copying<'_>) -> Result<Copied> {
    let mut tally = Tally::default();
    let mut next = i64::MIN;
    loop {
        let records = from.scroll(next, PORTION)?;
        let last = records.last().map_or(i64::MAX, |record| record.item.id);
        tally.copied.items += records.len() as u64;
        let is_last = records.is_empty();
        if !(copying.goes_on)(records.len() as u64) {
            to.settle()?;
            return Ok(tally.copied);
        }
        let range = Range { first: next, last };
        tally.portion(records, range, to, copying.delete)?;
        if is_last {
            break;
        }
        next = last + 1;
    }
    to.settle()?;
    let Tally { mut copied, kept } = tally;
    copied.digest = read_back(to, &kept, &copied, copying.goes_on)?;
    Ok(copied)
}

/// Sees to it that nobody's items are overwritten by mistake.
fn claim(from: &dyn Store, to: &dyn Store, force: bool) -> Result<()> {
    let (source, place) = (from.place(), to.place());
    if source == place {
        return Err(Error::Copy(format!(
            "{place} cannot be copied into itself: name another place"
        )));
    }
    let before = to.note(COPIED_FROM)?;
    if before.as_deref() == Some(source.as_str()) {
        return Ok(());
    }
    if !force && !to.is_empty()? {
        let what = match before {
            Some(other) => format!("a copy of {other}"),
            None => "no copy: its items are its own".to_owned(),
        };
        return Err(Error::Copy(format!(
            "{place} has {} items already and is {what}; give an empty place, or --force, by which items of the same \
             number are overwritten",
            to.len()?
        )));
    }
    to.set_note(COPIED_FROM, &source)
}

/// What the source was when it was read.
#[derive(Default)]
struct Kept {
    /// How many items each portion has, and their checksum and own checksum, by the last number of the portion.
    portions: BTreeMap<i64, (u64, [Digest; 2])>,
    /// Items of the copy alone.
    surplus: Items,
}

/// What was done so far, and what of it is to be compared.
#[derive(Default)]
struct Tally {
    copied: Copied,
    kept: Kept,
}

impl Tally {
    /// Sends what differs of one portion.
    fn portion(
        &mut self,
        records: Vec<Record>,
        Range { first, last }: Range,
        to: &dyn Store,
        delete: bool,
    ) -> Result<()> {
        let mut there: BTreeMap<i64, Digest> = to.digests(first, last)?.into_iter().collect();
        let (mut sum, mut own_sum) = (blake3::Hasher::new(), blake3::Hasher::new());
        let (mut different, all) = (Vec::new(), records.len() as u64);
        for record in records {
            let digest = record.digest();
            sum.update(&digest);
            own_sum.update(&record.own_digest());
            match there.remove(&record.item.id) {
                Some(same) if same == digest => self.copied.unchanged += 1,
                _ => different.push(record),
            }
        }
        if all > 0 {
            let sums = [sum, own_sum].map(|sum| *sum.finalize().as_bytes());
            self.kept.portions.insert(last, (all, sums));
        }
        if delete && !there.is_empty() {
            let surplus: Vec<i64> = there.into_keys().collect();
            to.remove(&surplus)?;
            self.copied.removed += surplus.len() as u64;
        } else {
            self.copied.surplus += there.len() as u64;
            self.kept.surplus.extend(there.into_keys().map(|id| id as u64));
        }
        if !different.is_empty() {
            self.copied.sent += different.len() as u64;
            to.put(different)?;
        }
        Ok(())
    }
}

/// Reads the copy, and compares what it says with what the source said, portion by portion. Nothing where it was
/// stopped.
fn read_back(
    to: &dyn Store,
    kept: &Kept,
    copied: &Copied,
    goes_on: &dyn Fn(u64) -> bool,
) -> Result<Option<Digest>> {
    let (mut whole, mut next, mut waiting) = (blake3::Hasher::new(), i64::MIN, Vec::new());
    // A caption that the source has not any more still says something of its picture.
    let has_surplus = !kept.surplus.is_empty();
    for (&last, (records, digests)) in &kept.portions {
        // Portions of the copy begin where those of the source do, unless somebody wrote between them.
        while waiting.last().is_none_or(|record: &Record| record.item.id < last) {
            let some = to.scroll(next, PORTION)?;
            if !goes_on(some.len() as u64) {
                return Ok(None);
            }
            let Some(end) = some.last() else { break };
            next = end.item.id + 1;
            waiting.extend(some);
        }
        let behind = waiting.partition_point(|record| record.item.id <= last);
        let (mut sum, mut found) = (blake3::Hasher::new(), 0);
        for record in waiting.drain(..behind) {
            if !kept.surplus.contains(record.item.id as u64) {
                found += 1;
                let digest = if has_surplus { record.own_digest() } else { record.digest() };
                sum.update(&digest);
                whole.update(&digest);
            }
        }
        if (found, sum.finalize().as_bytes()) != (*records, &digests[usize::from(has_surplus)]) {
            return Err(Error::Copy(format!(
                "{}: up to item {last} it has {found} items where {records} were sent, or not as they were sent; \
                 somebody else may have changed it: run the same command again, which sends what differs",
                to.place(),
            )));
        }
    }
    let (wanted, found) = (copied.items + copied.surplus, to.len()?);
    if found != wanted {
        let place = to.place();
        return Err(Error::Copy(format!(
            "{place} has {found} items and should have {wanted}: run the same command again"
        )));
    }
    Ok(Some(*whole.finalize().as_bytes()))
}
