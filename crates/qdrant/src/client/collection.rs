//! Collections: made for a model, found, and looked at before anything is asked of them.

use std::cell::RefCell;
use std::collections::HashMap;

use qdrant_client::qdrant::value::Kind;
use qdrant_client::qdrant::vectors_config::Config;
use qdrant_client::qdrant::{
    BinaryQuantizationBuilder, CollectionInfo, CreateCollectionBuilder, Distance,
    HnswConfigDiffBuilder, ScalarQuantizationBuilder, UpdateCollection, Value, VectorParams,
    VectorParamsBuilder, VectorParamsMap, VectorsConfig,
};
use tuwen_index::{ModelId, Result};

use super::Collection;
use super::call::Caller;
use super::payload::{HIDDEN, IMAGE, TEXT};
use super::write::OnTheirWay;
use crate::{Address, Codes, Making};

/// The oldest Qdrant that keeps what a collection says of itself.
const OLDEST: (u64, u64) = (1, 16);
/// How points are written; a number that only grows.
const FORMAT: &str = "1";
/// What a collection says of itself.
const KEYS: [&str; 4] = ["tuwen_format", "tuwen_model", "tuwen_fingerprint", "tuwen_dim"];
/// What stands before the names of notes.
const NOTE: &str = "tuwen_note_";
/// Of 10,000 values the furthest ones that 8 bits cut off.
const QUANTILE: f32 = 0.99;

impl Collection {
    pub(super) fn open(address: &Address) -> Result<Self> {
        let caller = Caller::new(address)?;
        check_version(&caller)?;
        let name = address.collection();
        let info = info(&caller, name)?;
        Self::of(caller, name, &info)
    }

    pub(super) fn open_or_make(
        address: &Address,
        model: &ModelId,
        making: &Making,
    ) -> Result<Self> {
        let caller = Caller::new(address)?;
        check_version(&caller)?;
        let name = address.collection();
        let exists = caller.ask("say whether the collection is there", |client| async move {
            client.collection_exists(name).await
        })?;
        if !exists {
            make(&caller, name, model, making)?;
        }
        let info = info(&caller, name)?;
        Self::of(caller, name, &info)
    }

    fn of(caller: Caller, name: &str, info: &CollectionInfo) -> Result<Self> {
        let model = model(info).map_err(|what| caller.error(what))?;
        check_vectors(info, model.dim).map_err(|what| caller.error(what))?;
        let indexed = RefCell::new(info.payload_schema.keys().cloned().collect());
        let (name, on_their_way) = (name.to_owned(), RefCell::new(OnTheirWay::default()));
        Ok(Self { caller, name, model, indexed, on_their_way })
    }

    pub(super) fn read_note(&self, note: &str) -> Result<Option<String>> {
        let info = info(&self.caller, &self.name)?;
        Ok(said(&info, &format!("{NOTE}{note}")))
    }

    pub(super) fn write_note(&self, note: &str, value: &str) -> Result<()> {
        let mut metadata = info(&self.caller, &self.name)?.config.unwrap_or_default().metadata;
        metadata.insert(format!("{NOTE}{note}"), value.into());
        let (collection_name, metadata) = (&self.name, &metadata);
        self.caller.ask("note whose copy it is", |client| async move {
            let (collection_name, metadata) = (collection_name.clone(), metadata.clone());
            let update = UpdateCollection { collection_name, metadata, ..Default::default() };
            client.update_collection(update).await
        })?;
        Ok(())
    }
}

fn check_version(caller: &Caller) -> Result<()> {
    let health =
        caller.ask("say its version", |client| async move { client.health_check().await })?;
    let version = health.version;
    let mut numbers = version.split('.').map(|part| part.parse::<u64>().ok());
    let (Some(Some(major)), Some(Some(minor))) = (numbers.next(), numbers.next()) else {
        let shown: String = version.chars().take(40).collect();
        return Err(
            caller.error(format!("it says its version is {shown:?}, which is none of Qdrant's"))
        );
    };
    if (major, minor) < OLDEST {
        let (oldest, old) = OLDEST;
        return Err(caller.error(format!(
            "it is Qdrant {major}.{minor}, and tuwen needs {oldest}.{old} or newer: update the server"
        )));
    }
    Ok(())
}

fn info(caller: &Caller, name: &str) -> Result<CollectionInfo> {
    let answer = caller
        .ask("open the collection", |client| async move { client.collection_info(name).await })?;
    answer.result.ok_or_else(|| caller.error("it answers nothing of the collection"))
}

fn make(caller: &Caller, name: &str, model: &ModelId, making: &Making) -> Result<()> {
    let dim = model.dim.to_string();
    let values = [FORMAT, &model.name, &model.fingerprint, &dim];
    let metadata: HashMap<String, Value> =
        KEYS.iter().zip(values).map(|(key, value)| ((*key).to_owned(), value.into())).collect();
    let map = [IMAGE, TEXT, HIDDEN]
        .map(|vector| (vector.to_owned(), vectors(vector, model.dim, making.codes)));
    let config = Config::ParamsMap(VectorParamsMap { map: map.into() });
    let vectors = VectorsConfig { config: Some(config) };
    let mut collection = CreateCollectionBuilder::new(name).vectors_config(vectors);
    if let Some(shards) = making.shards {
        collection = collection.shard_number(shards);
    }
    if let Some(replicas) = making.replicas {
        // What is acknowledged is then on more than half of them.
        collection =
            collection.replication_factor(replicas).write_consistency_factor(replicas / 2 + 1);
    }
    let mut collection = collection.build();
    collection.metadata = metadata;
    let collection = &collection;
    let made = caller.ask("make the collection", |client| async move {
        client.create_collection(collection.clone()).await
    });
    match made {
        // An answer that was lost on its way had made it.
        Err(tuwen_index::Error::Store { what, .. }) if what.contains("already exists") => Ok(()),
        done => done.map(drop),
    }
}

fn vectors(name: &str, dim: usize, codes: Codes) -> VectorParams {
    let params = VectorParamsBuilder::new(dim as u64, Distance::Dot).on_disk(true);
    if name == HIDDEN {
        // Nothing searches them: no graph, no codes.
        return params.hnsw_config(HnswConfigDiffBuilder::default().m(0)).build();
    }
    match codes {
        Codes::Int8 => {
            let codes = ScalarQuantizationBuilder::default().quantile(QUANTILE).always_ram(true);
            params.quantization_config(codes).build()
        }
        Codes::Bits => params.quantization_config(BinaryQuantizationBuilder::new(true)).build(),
        Codes::None => params.build(),
    }
}

/// What a collection says of itself under a name.
fn said(info: &CollectionInfo, key: &str) -> Option<String> {
    match info.config.as_ref()?.metadata.get(key)?.kind.as_ref()? {
        Kind::StringValue(text) => Some(text.clone()),
        _ => None,
    }
}

fn model(info: &CollectionInfo) -> Result<ModelId, String> {
    let [format, name, fingerprint, dim] = KEYS.map(|key| said(info, key));
    let (Some(format), Some(name), Some(fingerprint), Some(dim)) = (format, name, fingerprint, dim)
    else {
        return Err("the collection is not tuwen's: it does not say which model filled it; give another name".into());
    };
    if format != FORMAT {
        return Err(format!(
            "the collection has format {format:?}, this tuwen reads {FORMAT}: update tuwen"
        ));
    }
    let dim =
        dim.parse().map_err(|_| format!("the collection says it has {dim:?} values a vector"))?;
    Ok(ModelId { name, fingerprint, dim })
}

/// Whether the vectors are those that [`make`] made.
fn check_vectors(info: &CollectionInfo, dim: usize) -> Result<(), String> {
    let params = info.config.as_ref().and_then(|config| config.params.as_ref());
    let config = params.and_then(|params| params.vectors_config.as_ref()?.config.as_ref());
    let Some(Config::ParamsMap(VectorParamsMap { map })) = config else {
        return Err("the collection is not tuwen's: its vectors have no names".into());
    };
    for name in [IMAGE, TEXT, HIDDEN] {
        let Some(vectors) = map.get(name) else {
            return Err(format!(
                "the collection is not as tuwen made it: it has no vectors `{name}`"
            ));
        };
        if vectors.size != dim as u64 || vectors.distance() != Distance::Dot {
            return Err(format!(
                "the collection is not as tuwen made it: its vectors `{name}` have {} values compared by {:?}, and should \
                 have {dim} compared by Dot",
                vectors.size,
                vectors.distance()
            ));
        }
    }
    Ok(())
}
