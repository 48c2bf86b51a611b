//! In the place of `client` in a program that was built without it.

use tuwen_index::store::Store;
use tuwen_index::{Error, ModelId, Result};

use crate::{Address, Making};

pub(crate) fn open(address: &Address) -> Result<Box<dyn Store>> {
    Err(Error::Store {
        place: address.to_string(),
        what: "this tuwen was built without Qdrant's client: build it with `cargo build --release -p tuwen-cli \
               --features qdrant`, or use a gallery in a folder (--gallery)"
            .into(),
    })
}

pub(crate) fn open_for_writing(
    address: &Address,
    _model: &ModelId,
    _making: &Making,
) -> Result<Box<dyn Store>> {
    open(address)
}
