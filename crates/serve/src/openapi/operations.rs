//! The table of all questions; a test compares it with the routes of `app`.

use axum::http::StatusCode;
use serde_json::json;

use super::operation::{Operation, delete, get, post};
use super::shapes as s;
use crate::problem::ProblemType as P;
use crate::routes::compat::{clip_as_service, clip_retrieval, text_embeddings};
use crate::routes::{
    caption, changes, classify, duplicates, embeddings, explain, fields, files, items, jobs,
    pictures, rank, search, similarity, status, uploads,
};

/// All of them, in the order of their headings.
pub(super) fn all() -> Vec<Operation> {
    let groups: [(&str, Vec<Operation>); 6] = [
        ("Search", searching()),
        ("Items", of_items()),
        ("Models", of_models()),
        ("Changes", changing()),
        ("Server", of_server()),
        ("Clients of other programs", of_others()),
    ];
    let tagged = |(tag, all): (_, Vec<Operation>)| all.into_iter().map(move |one| one.tagged(tag));
    groups.into_iter().flat_map(tagged).collect()
}

/// A picture of one dot.
const DOT: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
/// What reads galleries by a filter.
const FILTERED: [P; 2] = [P::InvalidFilter, P::UnknownGallery];
/// What takes pictures, or items in their place.
const PICTURED: [P; 4] = [P::InvalidPicture, P::UnknownGallery, P::NotFound, P::PictureGone];

fn searching() -> Vec<Operation> {
    vec![
        post("/v1/search", "Search by words, pictures, items, or several of them")
            .takes::<search::Wanted>(json!({ "query": "a dog on the grass", "k": 5 }))
            .gives::<search::Answer<'_>>("Hits, the best first")
            .fails(&PICTURED)
            .fails(&FILTERED),
        post(
            "/v1/pictures",
            "Let the server keep a picture for a while, to be asked about by its name",
        )
        .takes::<pictures::Sent>(json!({ "image": DOT }))
        .gives::<pictures::Kept>("Its name: `picture:ID` stands where a data URI does")
        .fails(&[P::InvalidPicture, P::PictureGone]),
        get("/v1/pictures/{id}", "A picture that is kept so")
            .sends("image/*", "The picture as it was sent")
            .fails(&[P::PictureGone]),
        get("/v1/items/{id}/similar", "What is like an item")
            .query::<search::Similar>()
            .gives::<search::Answer<'_>>("Hits without the item itself")
            .fails(&[P::NotFound])
            .fails(&FILTERED),
        get("/v1/duplicates", "Groups of pictures that are nearly the same")
            .query::<duplicates::Wanted>()
            .gives::<duplicates::Answer>("The largest groups first")
            .fails(&[P::TooLarge])
            .fails(&FILTERED),
        get("/v1/fields", "What can be filtered by")
            .query::<fields::Of>()
            .gives::<s::Fields>("Fields by name")
            .fails(&[P::UnknownGallery]),
        get("/v1/fields/{name}", "A field's values with their counts")
            .query::<fields::Among>()
            .gives::<s::Values>("Values, of a field that no item has none")
            .fails(&[P::NotFound, P::TooLarge])
            .fails(&FILTERED),
    ]
}

fn of_items() -> Vec<Operation> {
    vec![
        get("/v1/items", "All items, or those that a filter is true of")
            .query::<items::Listed>()
            .gives::<search::Answer<'_>>("Items by id, or the newest first")
            .fails(&FILTERED),
        get("/v1/items/{id}", "All that is known of an item")
            .query::<items::Of>()
            .gives::<items::Details>("Captions, fields, links")
            .fails(&[P::NotFound, P::UnknownGallery]),
        get("/v1/items/{id}/thumbnail", "A small JPEG of a picture, upright")
            .query::<files::Shown>()
            .sends("image/jpeg", "The JPEG")
            .kept()
            .fails(&[P::NotFound, P::FileGone, P::UnknownGallery, P::InvalidPicture, P::TooLarge]),
        get("/v1/items/{id}/image", "A picture's file")
            .query::<files::Whole>()
            .sends("image/*", "The file as it was indexed")
            .kept()
            .fails(&[P::NotFound, P::FileGone, P::UnknownGallery, P::InvalidPicture, P::TooLarge]),
    ]
}

fn of_models() -> Vec<Operation> {
    vec![
        get("/v1/models", "The galleries' models, as OpenAI's clients ask")
            .gives::<status::Models>("Each once"),
        get("/v1/models/{name}", "One of them")
            .gives::<status::Model>("The model")
            .fails(&[P::UnknownModel]),
        post("/v1/embeddings", "Vectors of texts and pictures, as OpenAI's clients ask")
            .takes::<embeddings::Wanted>(json!({ "input": ["a dog", "一只狗"] }))
            .gives::<s::Embeddings>("A vector for each input")
            .fails(&[P::InvalidPicture, P::UnknownModel]),
        post("/v1/similarity", "Cosines of texts, pictures and items")
            .takes::<similarity::Wanted>(json!({ "pairs": [["a dog", "一只狗"]] }))
            .gives::<s::Similarity>("A cosine for each pair, or for each row and column")
            .fails(&PICTURED),
        post("/v1/rank", "Which candidates fit a query best")
            .takes::<rank::Wanted>(json!({ "query": "a dog", "candidates": ["一只狗", "a bus"] }))
            .gives::<s::Ranked>("The candidates, the best first")
            .fails(&PICTURED),
        post("/v1/classify", "Which of some labels a picture is")
            .takes::<classify::Wanted>(json!({ "like": 1, "labels": ["dog", "cat", "bus"] }))
            .gives::<s::Classified>("The labels, the most probable first")
            .fails(&PICTURED),
        post("/v1/explain", "Which parts of a picture and which words of a text make their score")
            .takes::<explain::Wanted>(json!({ "like": 1, "text": "a dog on the grass" }))
            .gives::<explain::Answer>("A map over the picture, and the words' weights")
            .fails(&PICTURED)
            .fails(&[P::FileGone]),
        post("/v1/caption", "What a picture shows, in words that a small decoder makes")
            .takes::<caption::Wanted>(json!({ "like": 1, "languages": ["en", "zh"] }))
            .gives::<s::Described>("Captions, of each language the best first")
            .fails(&PICTURED)
            .fails(&[P::FileGone]),
    ]
}

fn changing() -> Vec<Operation> {
    let picture = json!({ "items": [{
        "name": "dot.png",
        "image": DOT,
        "tags": ["dot"],
    }] });
    let gallery = [P::UnknownGallery];
    vec![
        post("/v1/items", "Add pictures; one that is there already stays the same item")
            .takes::<uploads::NewPictures>(picture)
            .gives::<s::Added>("What became of each")
            .fails(&gallery),
        delete("/v1/items", "Take items out of what is found; no file is deleted")
            .takes::<changes::Chosen>(json!({ "ids": [1] }))
            .gives::<s::Removed>("How many")
            .fails(&gallery),
        post("/v1/items/restore", "Put items back that were taken out")
            .takes::<changes::Restored>(json!({ "all": true }))
            .gives::<s::Restored>("How many")
            .fails(&gallery),
        post("/v1/items/tags", "Give items tags, or take these away")
            .takes::<changes::Tags>(json!({ "ids": [1], "add": ["holiday"] }))
            .gives::<s::Tagged>("How many have other tags than before")
            .fails(&gallery),
        post("/v1/folders", "Index a folder of the server's machine in the background")
            .takes::<jobs::Folder>(json!({ "path": "/photos" }))
            .answers_with::<s::Job>(StatusCode::ACCEPTED, "The job")
            .fails(&gallery),
        delete("/v1/jobs/{id}", "Stop a job; what it has added stays")
            .gives::<s::Job>("The job")
            .fails(&[P::NotFound]),
    ]
    .into_iter()
    .map(Operation::writes)
    .collect()
}

fn of_server() -> Vec<Operation> {
    let (html, any) = ("text/html; charset=utf-8", "*/*");
    vec![
        get("/v1/stats", "Galleries and their models").gives::<s::Stats>("What is served"),
        get("/v1/jobs", "Folders that are indexed, wait, or were indexed not long ago")
            .gives::<s::Jobs>("The newest last"),
        get("/health", "Whether the server lives").gives::<s::Status>("It does").open(),
        get("/ready", "Whether models are loaded")
            .gives::<s::Status>("They are")
            .open()
            .fails(&[P::NotReady]),
        get("/metrics", "Counts for Prometheus")
            .sends("text/plain; version=0.0.4; charset=utf-8", "Lines of counts"),
        get("/openapi.json", "This description").sends("application/json", "OpenAPI 3.1").kept(),
        get("/docs", "This description for people").sends(html, "A page").kept(),
        get("/", "The page").sends(html, "A page").kept(),
        get("/ui/{name}", "A file of the page").sends(any, "The file").kept().fails(&[P::NotFound]),
    ]
}

fn of_others() -> Vec<Operation> {
    vec![
        post("/knn-service", "clip-retrieval: search")
            .takes::<clip_retrieval::Wanted>(json!({ "text": "a dog", "num_images": 3 }))
            .gives::<Vec<serde_json::Map<String, serde_json::Value>>>("Hits, the best first")
            .fails(&[P::InvalidPicture, P::UnknownGallery]),
        post("/metadata", "clip-retrieval: what items are")
            .takes::<clip_retrieval::Ids>(json!({ "ids": [1] }))
            .gives::<Vec<serde_json::Map<String, serde_json::Value>>>("Items in their order")
            .fails(&[P::NotFound, P::UnknownGallery]),
        get("/indices-list", "clip-retrieval: the galleries").gives::<Vec<String>>("Their names"),
        post("/post", "clip-as-service: embed, or rank")
            .takes::<clip_as_service::Wanted>(json!({ "data": [{ "text": "a dog" }] }))
            .gives::<serde_json::Map<String, serde_json::Value>>("The documents")
            .fails(&[P::InvalidPicture]),
        post("/embed", "text-embeddings-inference: vectors")
            .takes::<text_embeddings::Wanted>(json!({ "inputs": "a dog" }))
            .gives::<Vec<Vec<f32>>>("A vector for each input")
            .also(StatusCode::BAD_REQUEST, "There are no inputs")
            .fails(&[P::InvalidPicture]),
        get("/info", "text-embeddings-inference: model and limits")
            .gives::<serde_json::Map<String, serde_json::Value>>("As it says them"),
        post("/predict", "immich: the vector of a picture or a text")
            .takes_form::<s::PredictForm>()
            .gives::<serde_json::Map<String, serde_json::Value>>("The vector, as JSON in `clip`")
            .fails(&[P::InvalidPicture]),
        get("/ping", "immich: whether the server lives")
            .sends("text/plain; charset=utf-8", "`pong`"),
    ]
}
