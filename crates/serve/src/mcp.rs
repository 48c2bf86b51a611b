//! An endpoint for assistants: the Model Context Protocol, over HTTP at `/mcp` and over standard input and output
//! for `tuwen mcp` (<https://modelcontextprotocol.io>). Its tools are questions of the API, and answers hold pictures
//! as well as what is known of them.

use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
    ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tuwen_encode::Encoder;
use tuwen_index::Modality;

use crate::jobs::Cause;
use crate::keys::Scope;
use crate::mcp_wire::MESSAGE;
use crate::problem::Problem;
use crate::routes::find::find;
use crate::routes::jobs::{enqueue, look};
use crate::routes::search::Wanted;
use crate::routes::{fields, files};
use crate::wording::plain;
use crate::{Error, Result, State};

/// Pictures where nobody says how many, and the most: each costs an assistant a thousand tokens and more.
const USUAL: usize = 4;
const MOST: usize = 20;
/// The longer side of the pictures in an answer.
const SIDE: u32 = 512;
/// Fields of a description, and values of each.
const FIELDS: usize = 30;
const VALUES: usize = 5;
/// How the library says that it cannot read a tool's arguments.
const ARGUMENTS: &str = "failed to deserialize parameters:";
/// The tool that changes something.
const CHANGES: &str = "add_folder";

/// Words to pictures.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SearchImages {
    /// What the pictures show, in Chinese or English. -word keeps away from something, "quoted words" must stand in
    /// a caption or name, field:value filters, such as year:2020..2023, tag:dog or folder:holiday.
    query: String,
    /// How many pictures, 1 to 20; 4 when not given.
    k: Option<usize>,
    /// A filter, such as: year >= 2020 AND tag = "dog".
    #[serde(rename = "where")]
    filter: Option<String>,
    /// The gallery's name, when there are several.
    gallery: Option<String>,
}

/// A picture to others.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Similar {
    /// The picture's number, the `id` of a hit.
    id: i64,
    /// How many pictures, 1 to 20; 4 when not given.
    k: Option<usize>,
    /// The gallery's name, when there are several.
    gallery: Option<String>,
}

/// Which gallery.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Described {
    /// The gallery's name, when there are several.
    gallery: Option<String>,
}

/// A folder of pictures.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AddFolder {
    /// Its full path on the server.
    path: std::path::PathBuf,
    /// The gallery's name, when there are several.
    gallery: Option<String>,
}

/// The tools over a state.
#[derive(Clone)]
pub struct Assistant {
    state: State,
    /// What a client may do that did not come by HTTP.
    scope: Scope,
    tool_router: ToolRouter<Self>,
}

#[tool_router]
impl Assistant {
    fn new(state: State) -> Self {
        let scope = if state.settings.open_to_changes { Scope::Write } else { Scope::Read };
        Self { state, scope, tool_router: Self::tool_router() }
    }

    /// Finds pictures by what they show, in Chinese or English; answers with the pictures and what is known of them.
    #[tool(annotations(title = "Search images", read_only_hint = true, open_world_hint = false))]
    async fn search_images(
        &self,
        Parameters(SearchImages { query, k, filter, gallery }): Parameters<SearchImages>,
    ) -> Result<CallToolResult, ErrorData> {
        let query = Some(query).filter(|query| !tuwen_text::visible(query).trim().is_empty());
        if query.is_none() && filter.is_none() {
            return Ok(failed(&Problem::value("query: it is empty: say what the pictures show")));
        }
        self.pictures(Wanted { query, k, filter, gallery, ..Wanted::default() }).await
    }

    /// Finds pictures that are like one of the gallery.
    #[tool(annotations(title = "Similar images", read_only_hint = true, open_world_hint = false))]
    async fn similar(
        &self,
        Parameters(Similar { id, k, gallery }): Parameters<Similar>,
    ) -> Result<CallToolResult, ErrorData> {
        let (like, without) = (Some(id), vec![id]);
        self.pictures(Wanted { like, without, k, gallery, ..Wanted::default() }).await
    }

    /// Tells which galleries there are, how many pictures they hold, and by which fields and values they can be
    /// filtered.
    #[tool(annotations(
        title = "Describe gallery",
        read_only_hint = true,
        open_world_hint = false
    ))]
    async fn describe_gallery(
        &self,
        Parameters(Described { gallery }): Parameters<Described>,
    ) -> Result<CallToolResult, ErrorData> {
        Ok(self.described(gallery).await.map_or_else(|p| failed(&p), |json| told(&json)))
    }

    /// Has a folder of pictures indexed into a gallery, in the background; pictures that are there stay. Only for
    /// clients that may write.
    #[tool(annotations(title = "Add folder", destructive_hint = false, idempotent_hint = true))]
    async fn add_folder(
        &self,
        Parameters(AddFolder { path, gallery }): Parameters<AddFolder>,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        if self.scope_of(&context) != Scope::Write {
            let what = "this client may only read: a key with the scope `write` is needed";
            return Ok(failed(&Problem::value(what)));
        }
        let add = async {
            let at = self.state.shelf_at(gallery.as_deref())?;
            let path = self.state.reads.run(move || look(&path)).await?;
            let job = enqueue(&self.state, at, Cause::Folder, path)?;
            serde_json::to_value(job.as_ref()).map_err(Problem::internal)
        };
        Ok(add.await.map_or_else(|p: Problem| failed(&p), |json| told(&json)))
    }
}

impl Assistant {
    /// What a search found: one text of all hits, then each picture, small.
    async fn pictures(&self, wanted: Wanted) -> Result<CallToolResult, ErrorData> {
        let state = &self.state;
        let found = async {
            let k = wanted.k.unwrap_or(USUAL);
            if !(1..=MOST).contains(&k) {
                return Err(Problem::value(format!("k: {k} is not between 1 and {MOST}")));
            }
            let shelf = state.shelf(wanted.gallery.as_deref())?;
            let open = shelf.current();
            let page = find(state, shelf, &open, Wanted { k: Some(k), ..wanted }).await?;
            let hits: Vec<Value> =
                serde_json::from_str(page.hits.get()).map_err(Problem::internal)?;
            let hits_told: Vec<Value> = hits.iter().map(brief).collect();
            let mut told =
                json!({ "total": page.total, "remarks": page.remarks, "hits": hits_told });
            if let Some(verdict) = page.verdict {
                told["match"] = json!(verdict);
            }
            let mut content = vec![ContentBlock::text(told.to_string())];
            for id in hits.iter().filter_map(|hit| hit["id"].as_i64()) {
                // A file that is gone since is a hit without its picture.
                if let Ok(jpeg) = files::small(state, shelf, id, SIDE).await {
                    content.push(ContentBlock::image(STANDARD.encode(jpeg), "image/jpeg"));
                }
            }
            Ok(CallToolResult::success(content))
        };
        Ok(found.await.unwrap_or_else(|problem| failed(&problem)))
    }

    async fn described(&self, gallery: Option<String>) -> Result<Value, Problem> {
        let names: Vec<&str> =
            self.state.shelves.iter().map(|shelf| shelf.source.name.as_str()).collect();
        let shelf = self.state.shelf(gallery.as_deref())?;
        let open = shelf.current();
        let name = shelf.source.name.clone();
        let describe = move || {
            let mut known = Vec::new();
            for field in open.fields()?.iter().take(FIELDS) {
                let values = open.aside().facet(&field.name, None, VALUES)?;
                let values: Vec<_> = values
                    .iter()
                    .map(|facet| json!([fields::value_of(&facet.value), facet.items]))
                    .collect();
                known.push(json!({
                    "field": field.name, "type": field.kind, "items": field.items,
                    "commonest values with their counts": values,
                }));
            }
            Ok(json!({
                "gallery": name,
                "images": open.engine.len(Modality::Image)?,
                "captions and texts": open.engine.len(Modality::Text)?,
                "model": open.engine.encoder().name(),
                "fields": known,
            }))
        };
        let mut told = self.state.reads.run(describe).await?;
        told["galleries"] = json!(names);
        Ok(told)
    }

    /// The tools that a client may use.
    fn tools_for(&self, context: &RequestContext<RoleServer>) -> Vec<Tool> {
        let mut tools = self.tool_router.list_all();
        if self.scope_of(context) != Scope::Write {
            tools.retain(|tool| tool.name != CHANGES);
        }
        tools
    }

    fn scope_of(&self, context: &RequestContext<RoleServer>) -> Scope {
        match context.extensions.get::<Parts>() {
            Some(parts) => parts.extensions.get().copied().unwrap_or(Scope::Read),
            None => self.scope,
        }
    }
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for Assistant {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().build();
        let mut info = ServerConfig::new(capabilities);
        info.server_info = Implementation::new("tuwen", env!("CARGO_PKG_VERSION"));
        info.instructions = Some(
            "Pictures of a gallery, found by words in Chinese or English. A hit's `id` is what `similar` takes; \
             `match`, where it is there, says whether anything matches at all."
                .into(),
        );
        info
    }

    /// Calls a tool; what is wrong with its arguments is said without names of types.
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let tools = self.tools_for(&context);
        if !self.tool_router.list_all().iter().any(|tool| tool.name == request.name) {
            let known: Vec<&str> = tools.iter().map(|tool| tool.name.as_ref()).collect();
            let said = format!("there is no tool `{}`, only {}", request.name, known.join(", "));
            return Err(ErrorData::invalid_params(said, None));
        }
        let call = ToolCallContext::new(self, request, context);
        Ok(match self.tool_router.call(call).await? {
            CallToolResponse::Complete(result) if result.is_error == Some(true) => {
                CallToolResult::error(result.content.into_iter().map(reworded).collect()).into()
            }
            other => other,
        })
    }

    /// Who may only read is not told of what changes something.
    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = self.tools_for(&context);
        Ok(ListToolsResult { tools, ..ListToolsResult::default() })
    }
}

/// What an assistant needs of a hit.
fn brief(hit: &Value) -> Value {
    let keys = ["id", "name", "path", "score", "probability", "caption", "why", "width", "height"];
    let known = keys.iter().filter(|key| !hit[**key].is_null());
    known.map(|&key| (key.to_owned(), hit[key].clone())).collect::<serde_json::Map<_, _>>().into()
}

/// A failure in plain words.
fn reworded(said: ContentBlock) -> ContentBlock {
    let text = said.as_text().and_then(|said| said.text.strip_prefix(ARGUMENTS));
    match text {
        Some(text) => ContentBlock::text(format!("arguments: {}", plain(&text.trim()))),
        None => said,
    }
}

fn told(json: &Value) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(json.to_string())])
}

/// What an assistant can mend is an answer of the tool and no error of the protocol.
fn failed(problem: &Problem) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(problem.detail.clone())])
}

/// The service behind `/mcp`: each request by itself, without sessions, so that nothing is kept for clients that
/// went away. Hosts are checked before it, as for every question.
pub(crate) fn service(state: &State) -> StreamableHttpService<Assistant, LocalSessionManager> {
    let config = StreamableHttpServerConfig::default()
        .disable_allowed_hosts()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(MESSAGE.min(state.settings.limits.body));
    let assistant = Assistant::new(state.clone());
    let manager = std::sync::Arc::new(LocalSessionManager::default());
    StreamableHttpService::new(move || Ok(assistant.clone()), manager, config)
}

/// Serves one assistant on standard input and output until it goes away.
///
/// # Errors
/// What came is not the protocol.
pub fn serve_assistant(state: &State) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let assistant = Assistant::new(state.clone());
    runtime.block_on(async {
        let failed = |error: &dyn std::fmt::Display| Error::Usage(format!("mcp: {error}"));
        let running = assistant.serve(rmcp::transport::stdio()).await.map_err(|e| failed(&e))?;
        running.waiting().await.map_err(|e| failed(&e)).map(drop)
    })
}
