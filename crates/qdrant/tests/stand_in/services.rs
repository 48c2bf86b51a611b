//! What the server answers.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use ::qdrant_client::qdrant::collections_server::Collections;
use ::qdrant_client::qdrant::points_selector::PointsSelectorOneOf;
use ::qdrant_client::qdrant::points_server::Points;
use ::qdrant_client::qdrant::qdrant_server::Qdrant;
use ::qdrant_client::qdrant::value::Kind;
use ::qdrant_client::qdrant::vectors_output::VectorsOptions;
use ::qdrant_client::qdrant::with_payload_selector::SelectorOptions;
use ::qdrant_client::qdrant::*;
use tonic::{Request, Response, Status};

use super::matching::{is_true, values};
use super::{Collection, Kept, missing, vector_of};

#[derive(Clone)]
pub struct Service(pub Arc<Mutex<Kept>>);

/// Functions of a service: those that answer, and those that nobody asks for. They have the form that `async_trait` gives
/// those of the trait.
macro_rules! answers {
    ($($name:ident: $request:ty => $answer:ty $(, $how:ident)?;)*) => {
        $(fn $name<'a, 'b>(
            &'a self,
            request: Request<$request>,
        ) -> Pin<Box<dyn Future<Output = Result<Response<$answer>, Status>> + Send + 'b>>
        where
            'a: 'b,
            Self: 'b,
        {
            answers!(@ self, request, $name $(, $how)?)
        })*
    };
    (@ $self:ident, $request:ident, $name:ident, $how:ident) => {
        Box::pin(async move {
            $self.wait().await;
            $self.$how($request.into_inner()).map(Response::new)
        })
    };
    (@ $self:ident, $request:ident, $name:ident) => {
        Box::pin(async move {
            drop($request);
            Err(Status::unimplemented(stringify!($name)))
        })
    };
}

impl Qdrant for Service {
    answers! { health_check: HealthCheckRequest => HealthCheckReply, health; }
}

impl Collections for Service {
    answers! {
        get: GetCollectionInfoRequest => GetCollectionInfoResponse, info;
        list: ListCollectionsRequest => ListCollectionsResponse;
        create: CreateCollection => CollectionOperationResponse, make;
        update: UpdateCollection => CollectionOperationResponse, change;
        delete: DeleteCollection => CollectionOperationResponse;
        update_aliases: ChangeAliases => CollectionOperationResponse;
        list_collection_aliases: ListCollectionAliasesRequest => ListAliasesResponse;
        list_aliases: ListAliasesRequest => ListAliasesResponse;
        collection_cluster_info: CollectionClusterInfoRequest => CollectionClusterInfoResponse;
        collection_exists: CollectionExistsRequest => CollectionExistsResponse, exists;
        update_collection_cluster_setup: UpdateCollectionClusterSetupRequest => UpdateCollectionClusterSetupResponse;
        create_shard_key: CreateShardKeyRequest => CreateShardKeyResponse;
        delete_shard_key: DeleteShardKeyRequest => DeleteShardKeyResponse;
        list_shard_keys: ListShardKeysRequest => ListShardKeysResponse;
    }
}

impl Points for Service {
    answers! {
        upsert: UpsertPoints => PointsOperationResponse, store;
        delete: DeletePoints => PointsOperationResponse, remove;
        get: GetPoints => GetResponse, some;
        update_vectors: UpdatePointVectors => PointsOperationResponse;
        delete_vectors: DeletePointVectors => PointsOperationResponse;
        set_payload: SetPayloadPoints => PointsOperationResponse;
        overwrite_payload: SetPayloadPoints => PointsOperationResponse;
        delete_payload: DeletePayloadPoints => PointsOperationResponse;
        clear_payload: ClearPayloadPoints => PointsOperationResponse;
        create_field_index: CreateFieldIndexCollection => PointsOperationResponse, index;
        delete_field_index: DeleteFieldIndexCollection => PointsOperationResponse;
        create_vector_name: CreateVectorNameRequest => PointsOperationResponse;
        delete_vector_name: DeleteVectorNameRequest => PointsOperationResponse;
        search: SearchPoints => SearchResponse;
        search_batch: SearchBatchPoints => SearchBatchResponse;
        search_groups: SearchPointGroups => SearchGroupsResponse;
        scroll: ScrollPoints => ScrollResponse, listed;
        recommend: RecommendPoints => RecommendResponse;
        recommend_batch: RecommendBatchPoints => RecommendBatchResponse;
        recommend_groups: RecommendPointGroups => RecommendGroupsResponse;
        discover: DiscoverPoints => DiscoverResponse;
        discover_batch: DiscoverBatchPoints => DiscoverBatchResponse;
        count: CountPoints => CountResponse, counted;
        update_batch: UpdateBatchPoints => UpdateBatchResponse;
        query: QueryPoints => QueryResponse, nearest;
        query_batch: QueryBatchPoints => QueryBatchResponse;
        query_groups: QueryPointGroups => QueryGroupsResponse;
        facet: FacetCounts => FacetResponse, different;
        search_matrix_pairs: SearchMatrixPoints => SearchMatrixPairsResponse;
        search_matrix_offsets: SearchMatrixPoints => SearchMatrixOffsetsResponse;
    }
}

impl Service {
    async fn wait(&self) {
        let slowness = {
            let mut kept = self.0.lock().expect("nobody panicked");
            kept.now += 1;
            kept.most_at_a_time = kept.most_at_a_time.max(kept.now);
            kept.manners.slowness
        };
        tokio::time::sleep(slowness).await;
        self.0.lock().expect("nobody panicked").now -= 1;
    }

    fn with<T>(
        &self,
        name: &str,
        look: impl FnOnce(&Collection, &super::Manners) -> Result<T, Status>,
    ) -> Result<T, Status> {
        let kept = self.0.lock().expect("nobody panicked");
        look(kept.collections.get(name).ok_or_else(|| missing(name))?, &kept.manners)
    }

    /// Makes a change, unless the server is told to refuse it or to lose its answer.
    fn changed(
        &self,
        name: &str,
        change: impl FnOnce(&mut Collection, bool),
    ) -> Result<PointsOperationResponse, Status> {
        let mut kept = self.0.lock().expect("nobody panicked");
        kept.changes += 1;
        let (left, code, words) = kept.manners.refuse;
        if left > 0 {
            kept.manners.refuse.0 -= 1;
            return Err(Status::new(code, words));
        }
        let forgetful = kept.manners.forgetful;
        change(kept.collections.get_mut(name).ok_or_else(|| missing(name))?, forgetful);
        if kept.manners.lose_answers > 0 {
            kept.manners.lose_answers -= 1;
            return Err(Status::unavailable("the connection was lost"));
        }
        let result = UpdateResult { operation_id: Some(1), status: kept.manners.status.into() };
        Ok(PointsOperationResponse { result: Some(result), ..Default::default() })
    }

    fn health(&self, _: HealthCheckRequest) -> Result<HealthCheckReply, Status> {
        let version = self.0.lock().expect("nobody panicked").manners.version.clone();
        Ok(HealthCheckReply { title: "a stand-in".into(), version, commit: None })
    }

    fn exists(&self, asked: CollectionExistsRequest) -> Result<CollectionExistsResponse, Status> {
        let exists = self.with(&asked.collection_name, |_, _| Ok(true)).unwrap_or(false);
        Ok(CollectionExistsResponse {
            result: Some(CollectionExists { exists }),
            ..Default::default()
        })
    }

    fn info(&self, asked: GetCollectionInfoRequest) -> Result<GetCollectionInfoResponse, Status> {
        self.with(&asked.collection_name, |collection, _| {
            let made = &collection.made;
            let params = CollectionParams {
                vectors_config: made.vectors_config.clone(),
                ..Default::default()
            };
            let (params, metadata) = (Some(params), made.metadata.clone());
            let config = CollectionConfig { params, metadata, ..Default::default() };
            let schema = |(path, kind): (&String, &i32)| {
                (path.clone(), PayloadSchemaInfo { data_type: *kind, ..Default::default() })
            };
            let result = CollectionInfo {
                config: Some(config),
                payload_schema: collection.indexes.iter().map(schema).collect(),
                ..Default::default()
            };
            Ok(GetCollectionInfoResponse { result: Some(result), ..Default::default() })
        })
    }

    fn make(&self, made: CreateCollection) -> Result<CollectionOperationResponse, Status> {
        let mut kept = self.0.lock().expect("nobody panicked");
        let name = made.collection_name.clone();
        let (points, indexes) = (BTreeMap::new(), BTreeMap::new());
        kept.collections.insert(name, Collection { made, points, indexes });
        Ok(CollectionOperationResponse { result: true, ..Default::default() })
    }

    fn change(&self, asked: UpdateCollection) -> Result<CollectionOperationResponse, Status> {
        let mut kept = self.0.lock().expect("nobody panicked");
        let name = &asked.collection_name;
        let collection = kept.collections.get_mut(name).ok_or_else(|| missing(name))?;
        collection.made.metadata.extend(asked.metadata);
        Ok(CollectionOperationResponse { result: true, ..Default::default() })
    }

    fn store(&self, asked: UpsertPoints) -> Result<PointsOperationResponse, Status> {
        self.changed(&asked.collection_name, |collection, forgetful| {
            for mut point in asked.points {
                if forgetful {
                    point.payload.insert("size".into(), 1_234_567.into());
                }
                collection.points.insert(number(point.id.as_ref()), point);
            }
        })
    }

    fn remove(&self, asked: DeletePoints) -> Result<PointsOperationResponse, Status> {
        let selected = asked.points.and_then(|points| points.points_selector_one_of);
        let Some(PointsSelectorOneOf::Points(list)) = selected else {
            return Err(Status::unimplemented("only numbers"));
        };
        self.changed(&asked.collection_name, |collection, _| {
            for id in &list.ids {
                collection.points.remove(&number(Some(id)));
            }
        })
    }

    fn index(&self, asked: CreateFieldIndexCollection) -> Result<PointsOperationResponse, Status> {
        let (path, kind) = (asked.field_name.clone(), asked.field_type.unwrap_or_default());
        self.changed(&asked.collection_name, |collection, _| {
            collection.indexes.insert(path, kind);
        })
    }

    fn some(&self, asked: GetPoints) -> Result<GetResponse, Status> {
        self.with(&asked.collection_name, |collection, manners| {
            let found = asked.ids.iter().filter_map(|id| collection.points.get(&number(Some(id))));
            let result = found.map(|point| retrieved(point, None, false, manners)).collect();
            Ok(GetResponse { result, ..Default::default() })
        })
    }

    fn listed(&self, asked: ScrollPoints) -> Result<ScrollResponse, Status> {
        let selected = asked.with_payload.and_then(|with| with.selector_options);
        let with_vectors = asked.with_vectors.is_some();
        self.with(&asked.collection_name, |collection, manners| {
            let from = asked.offset.as_ref().map_or(0, |id| number(Some(id)));
            let found = collection.points.range(from..).map(|(_, point)| point);
            let found = found
                .filter(|point| asked.filter.as_ref().is_none_or(|filter| is_true(filter, point)));
            let mut result: Vec<RetrievedPoint> = found
                .take(asked.limit.unwrap_or(10) as usize)
                .map(|point| retrieved(point, selected.as_ref(), with_vectors, manners))
                .collect();
            if manners.backwards {
                result.reverse();
            }
            Ok(ScrollResponse { result, ..Default::default() })
        })
    }

    fn counted(&self, asked: CountPoints) -> Result<CountResponse, Status> {
        self.with(&asked.collection_name, |collection, _| {
            let is_counted = |point: &&PointStruct| {
                asked.filter.as_ref().is_none_or(|filter| is_true(filter, point))
            };
            let count = collection.points.values().filter(is_counted).count() as u64;
            Ok(CountResponse { result: Some(CountResult { count }), ..Default::default() })
        })
    }

    fn nearest(&self, asked: QueryPoints) -> Result<QueryResponse, Status> {
        let Some(query::Variant::Nearest(input)) = asked.query.and_then(|query| query.variant)
        else {
            return Err(Status::unimplemented("only nearest"));
        };
        let Some(vector_input::Variant::Dense(wanted)) = input.variant else {
            return Err(Status::unimplemented("only dense vectors"));
        };
        let using = asked.using.unwrap_or_default();
        self.with(&asked.collection_name, |collection, manners| {
            let mut result = Vec::new();
            for point in collection.points.values() {
                let Some((name, vector)) = vector_of(point) else { continue };
                let is_asked = asked.filter.as_ref().is_none_or(|filter| is_true(filter, point));
                if name != using || !is_asked {
                    continue;
                }
                if vector.len() != wanted.data.len() {
                    return Err(Status::invalid_argument("Wrong input: Vector dimension error"));
                }
                let products = vector.iter().zip(&wanted.data).map(|(a, b)| a * b);
                let score = if manners.scoreless { f32::NAN } else { products.sum() };
                result.push(ScoredPoint { id: point.id.clone(), score, ..Default::default() });
            }
            result.sort_by(|a, b| b.score.total_cmp(&a.score));
            result.truncate(asked.limit.unwrap_or(10) as usize);
            Ok(QueryResponse { result, ..Default::default() })
        })
    }

    fn different(&self, asked: FacetCounts) -> Result<FacetResponse, Status> {
        self.with(&asked.collection_name, |collection, _| {
            if !collection.indexes.contains_key(&asked.key) {
                return Err(Status::invalid_argument("No appropriate index for faceting"));
            }
            let mut counts: BTreeMap<String, u64> = BTreeMap::new();
            for point in collection.points.values() {
                for value in values(&point.payload, &asked.key) {
                    if let Some(Kind::StringValue(text)) = value.kind {
                        *counts.entry(text).or_default() += 1;
                    }
                }
            }
            let hit = |(text, count): (String, u64)| {
                let variant = Some(facet_value::Variant::StringValue(text));
                FacetHit { value: Some(FacetValue { variant }), count }
            };
            let most = asked.limit.unwrap_or(10) as usize;
            let hits = counts.into_iter().take(most).map(hit).collect();
            Ok(FacetResponse { hits, ..Default::default() })
        })
    }
}

fn number(id: Option<&PointId>) -> u64 {
    match id.and_then(|id| id.point_id_options.as_ref()) {
        Some(point_id::PointIdOptions::Num(number)) => *number,
        other => panic!("tuwen gives numbers, not {other:?}"),
    }
}

fn retrieved(
    point: &PointStruct,
    selected: Option<&SelectorOptions>,
    with_vectors: bool,
    manners: &super::Manners,
) -> RetrievedPoint {
    let mut payload = point.payload.clone();
    match selected {
        Some(SelectorOptions::Enable(false)) => payload.clear(),
        Some(SelectorOptions::Include(these)) => {
            payload.retain(|key, _| these.fields.contains(key));
        }
        _ => {}
    }
    manners.without.map(|key| payload.remove(key));
    let vectors = vector_of(point).filter(|_| with_vectors).map(|(name, data)| {
        let vector = Some(vector_output::Vector::Dense(DenseVector { data }));
        let vectors = [(name, VectorOutput { vector, ..Default::default() })].into();
        let named = NamedVectorsOutput { vectors };
        VectorsOutput { vectors_options: Some(VectorsOptions::Vectors(named)) }
    });
    RetrievedPoint { id: point.id.clone(), payload, vectors, ..Default::default() }
}
