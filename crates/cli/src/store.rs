//! Stores that a command line names: galleries in folders, and collections of Qdrant.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::Result;
use tuwen_encode::Encoder;
use tuwen_index::store::{Copied, Copying, Store, copy};
use tuwen_index::{Gallery, ModelId};
use tuwen_qdrant::{Address, Making, PATIENCE};
use tuwen_retrieve::{Options, Stored};

use crate::progress;
use crate::query::{TextArgs, note_model};

/// Where a store is.
#[derive(Clone, Debug)]
pub enum StorePlace {
    /// A gallery's folder.
    Folder(PathBuf),
    /// `qdrant://host:6334/collection`
    Qdrant(Address),
}

impl FromStr for StorePlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match Address::is_meant(text) {
            true => Ok(Self::Qdrant(patient(Address::parse(text)?)?)),
            false if text.contains("://") => Err(format!(
                "{text} is neither a folder nor an address as qdrant://HOST:6334/COLLECTION"
            )),
            false => Ok(Self::Folder(text.into())),
        }
    }
}

impl StorePlace {
    /// Opens it for reading, in one state where it can be.
    ///
    /// # Errors
    /// It is not there or cannot be read.
    pub fn open(&self) -> Result<Box<dyn Store>> {
        Ok(match self {
            Self::Folder(folder) => {
                let gallery = Gallery::open(folder)?;
                gallery.hold()?;
                Box::new(gallery)
            }
            Self::Qdrant(address) => tuwen_qdrant::open(address)?,
        })
    }
}

/// An address with the patience that the environment asks for.
fn patient(address: Address) -> Result<Address, String> {
    let Some(said) = std::env::var(PATIENCE).ok().filter(|said| !said.trim().is_empty()) else {
        return Ok(address);
    };
    let seconds = said.trim().parse().ok().filter(|seconds| (1..=86_400).contains(seconds));
    let seconds = seconds.ok_or_else(|| {
        format!("{PATIENCE} is {said:?}, and no number of seconds from 1 to 86400")
    })?;
    Ok(address.with_patience(Duration::from_secs(seconds)))
}

/// Reads an address of Qdrant; a folder is none.
///
/// # Errors
/// What is wrong with it.
pub fn address(text: &str) -> Result<Address, String> {
    match text.parse()? {
        StorePlace::Qdrant(address) => Ok(address),
        StorePlace::Folder(folder) => Err(format!(
            "{} is no address as qdrant://HOST:6334/COLLECTION; folders are named by --gallery",
            folder.display()
        )),
    }
}

/// Opens a collection with its model, or with the one the user names, which must be the same.
///
/// # Errors
/// As [`Stored::open`].
pub fn open(
    address: &Address,
    model: Option<&str>,
    text: &TextArgs,
    options: Options,
) -> Result<Stored> {
    let model = model.map(str::to_owned);
    let (long_text, products, device) = (text.long_text(), text.products(), text.device()?);
    let options = Options { model, long_text, products, device, ..options };
    let stored = Stored::open(tuwen_qdrant::open(address)?, &options)?;
    note_model(stored.encoder().name(), stored.encoder());
    Ok(stored)
}

/// How a copy treats what is there.
#[derive(Clone, Copy, Debug)]
pub struct Care {
    /// Remove what the source has not.
    pub delete: bool,
    /// Fill a store that has items of its own.
    pub force: bool,
}

/// Copies a store's items, drawing a bar.
///
/// # Errors
/// As [`tuwen_index::store::copy`].
pub fn transfer(
    from: &dyn Store,
    to: &dyn Store,
    care: Care,
    goes_on: &dyn Fn() -> bool,
) -> Result<Copied> {
    // All are read twice: to be sent, and as they were received.
    let bar = progress::bar(Some(2 * from.len()? as usize), "items sent and read back");
    let count = |count: u64| {
        bar.inc(count);
        goes_on()
    };
    let copying = Copying { delete: care.delete, force: care.force, goes_on: &count };
    let copied = copy(from, to, &copying);
    bar.finish_and_clear();
    Ok(copied?)
}

/// Brings a collection up to date with a gallery.
///
/// # Errors
/// As [`transfer`].
pub fn bring_up_to_date(
    folder: &Path,
    address: &Address,
    goes_on: &dyn Fn() -> bool,
) -> Result<Copied> {
    let gallery = Gallery::open(folder)?;
    gallery.hold()?;
    let model: ModelId = gallery.model()?;
    let store = tuwen_qdrant::open_for_writing(address, &model, &Making::default())?;
    transfer(&gallery, &*store, Care { delete: true, force: false }, goes_on)
}

/// A checksum for people.
pub fn short(digest: &[u8; 32]) -> String {
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
