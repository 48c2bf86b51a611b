//! Records on their way to the server: in requests of bounded size, a few of them at a time. Who puts more waits until
//! one of them has been answered, so that memory is bounded and a slow server slows its writer down.

use std::collections::BTreeSet;

use qdrant_client::qdrant::points_selector::PointsSelectorOneOf;
use qdrant_client::qdrant::{
    CreateFieldIndexCollectionBuilder, DeletePointsBuilder, FieldType, PointStruct, PointsIdsList,
    UpdateResult, UpdateStatus, UpsertPointsBuilder,
};
use qdrant_client::{Qdrant, QdrantError};
use tokio::task::JoinSet;
use tonic::Status;
use tuwen_index::Result;
use tuwen_index::filter::Type;
use tuwen_index::store::Record;

use super::Collection;
use super::call::Asker;
use super::payload::{HAS, KIND, path, point, point_id};

/// Requests that are on their way at the same time.
const AT_A_TIME: usize = 4;
/// Points of one request.
const POINTS: usize = 256;
/// Bytes of one request, about; a single point may have more.
const BYTES: usize = 4 << 20;
/// Fields that get an index: the columns of a caption file may be many. Filters find others as well, by looking at points.
const INDEXES: usize = 200;

/// Requests that have not been answered.
#[derive(Default)]
pub(super) struct OnTheirWay(JoinSet<Result<()>>);

impl Collection {
    pub(super) fn send(&self, records: Vec<Record>) -> Result<()> {
        for record in &records {
            if let Some(what) = record.fault(self.model.dim) {
                return Err(self.caller.error(what));
            }
        }
        self.index_fields(&records)?;
        let mut batches = Vec::new();
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for record in &records {
            let size = size(record);
            if !batch.is_empty() && (batch.len() == POINTS || bytes + size > BYTES) {
                batches.push(std::mem::take(&mut batch));
                bytes = 0;
            }
            bytes += size;
            batch.push(point(record));
        }
        batches.push(batch);
        let mut on_their_way = self.on_their_way.borrow_mut();
        for batch in batches {
            while on_their_way.0.len() >= AT_A_TIME {
                self.wait_for_one(&mut on_their_way)?;
            }
            let (asker, name) = (self.caller.asker(), self.name.clone());
            on_their_way.0.spawn_on(upsert(asker, name, batch), self.caller.runtime().handle());
        }
        Ok(())
    }

    fn wait_for_one(&self, on_their_way: &mut OnTheirWay) -> Result<()> {
        let runtime = self.caller.runtime();
        let done = match runtime.block_on(on_their_way.0.join_next()) {
            None => Ok(()),
            Some(Ok(done)) => done,
            Some(Err(error)) => Err(self.caller.error(error.to_string())),
        };
        if done.is_err() {
            // The others would be asked again as long, and be told of to whoever comes next.
            runtime.block_on(on_their_way.0.shutdown());
        }
        done
    }

    pub(super) fn wait_for_all(&self) -> Result<()> {
        let mut on_their_way = self.on_their_way.borrow_mut();
        while !on_their_way.0.is_empty() {
            self.wait_for_one(&mut on_their_way)?;
        }
        Ok(())
    }

    pub(super) fn delete(&self, ids: &[i64]) -> Result<()> {
        // What is on its way could come after it.
        self.wait_for_all()?;
        for ids in ids.chunks(POINTS) {
            let ids = ids.iter().map(|&id| point_id(id)).collect();
            let points = PointsSelectorOneOf::Points(PointsIdsList { ids });
            let request = DeletePointsBuilder::new(&self.name).points(points).wait(true);
            let request = &request;
            self.caller.ask("remove items", |client| async move {
                completed(client.delete_points(request.clone()).await?.result)
            })?;
        }
        Ok(())
    }

    /// Gives an index to fields that are met for the first time.
    fn index_fields(&self, records: &[Record]) -> Result<()> {
        let mut wanted: BTreeSet<(String, FieldType)> = BTreeSet::new();
        wanted.insert((HAS.to_owned(), FieldType::Keyword));
        wanted.insert((KIND.to_owned(), FieldType::Keyword));
        for field in records.iter().flat_map(|record| record.said.iter()) {
            let kind = match field.value.kind() {
                Type::Number => FieldType::Float,
                Type::Date => FieldType::Integer,
                Type::Text => FieldType::Keyword,
            };
            wanted.insert((path(field.value.kind(), &field.name), kind));
        }
        for (path, kind) in wanted {
            let is_known = self.indexed.borrow().contains(&path);
            if is_known || self.indexed.borrow().len() >= INDEXES {
                continue;
            }
            let index = CreateFieldIndexCollectionBuilder::new(&self.name, &path, kind).wait(true);
            let index = &index;
            self.caller.ask("make an index of a field", |client| async move {
                completed(client.create_field_index(index.clone()).await?.result)
            })?;
            self.indexed.borrow_mut().insert(path);
        }
        Ok(())
    }
}

async fn upsert(asker: Asker, name: String, points: Vec<PointStruct>) -> Result<()> {
    let (name, points) = (&name, &points);
    let question = |client: Qdrant| async move {
        let request = UpsertPointsBuilder::new(name, points.clone()).wait(true);
        completed(client.upsert_points(request).await?.result)
    };
    asker.ask("store items", question).await
}

/// What is received and not applied yet may still be lost, so that it is asked for again.
fn completed(result: Option<UpdateResult>) -> Result<(), QdrantError> {
    match result.map(|result| result.status()) {
        Some(UpdateStatus::Completed) => Ok(()),
        Some(UpdateStatus::WaitTimeout | UpdateStatus::Acknowledged) => {
            Err(Status::deadline_exceeded("it received what it was sent and has not applied it")
                .into())
        }
        other => {
            let what = format!("it answers {other:?} to what it was sent");
            Err(Status::internal(what).into())
        }
    }
}

/// Bytes of a record, about.
fn size(record: &Record) -> usize {
    let texts = |texts: &[String]| texts.iter().map(|text| text.len() + 1).sum::<usize>();
    let fields: usize = record.said.iter().map(|field| 2 * field.name.len() + 64).sum();
    let item = &record.item;
    4 * record.vector.len()
        + 3 * fields
        + texts(&record.tokens.words)
        + texts(&record.tokens.signs)
        + item.text.as_ref().map_or(0, String::len)
        + item.metadata.len()
        + item.origin.len()
        + 512
}
