//! Corners of the page, in a real browser: items that are not there, where lists and sliders end, folders, a picture as a
//! query, what is taken along as a file, and the server's words in Chinese.

mod chromium;
mod common;

use std::io::Write;
use std::path::Path;

use chromium::{Page, axe, served::with_page};
use common::{HOSTILE, Home, data_uri, demo_picture};
use serde_json::{Value, json};
use tuwen_serve::{Settings, Source, State};

const TILES: &str = "document.querySelectorAll('.tile').length";
const FIRST: &str = "document.querySelector('.tile .caption').textContent";
const TOAST: &str = "document.querySelector('#toast').textContent";
const CLOSED: &str = "!document.querySelector('#detail').open && !location.search.includes('item')";

const PICTURES: [&str; 7] = [
    "dog_grass.png",
    "dog_beach.png",
    "cat_sofa.png",
    "cow.png",
    "bus.png",
    "cake.png",
    "guitar.png",
];

/// A gallery with folders below each other.
fn home() -> Home {
    let home = Home::new(&PICTURES);
    for (folder, name) in [("家", "hammer.png"), ("家/2020", "beach.png")] {
        let folder = home.path("旅行").join(folder);
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join(name), demo_picture(name)).expect("a picture");
    }
    home.index(&[
        ("dog_grass.png", "A brown dog is running on the green grass."),
        ("cow.png", HOSTILE),
        ("bus.png", "=cmd|' /C calc'!A0"),
    ]);
    home
}

#[test]
fn the_page_says_what_is_not_there_and_where_things_end() {
    let Some(program) = chromium::find() else {
        // Past the test's own capture: somebody should read it.
        let told = "\nNOT RUN: the page's corners in a browser, for there is no chromium here\n\n";
        std::io::stderr().write_all(told.as_bytes()).expect("standard error");
        return;
    };
    let home = home();
    let source = Source { name: "photos".into(), ..Source::of(&home.gallery()) };
    let settings = Settings { open_to_changes: true, ..Settings::default() };
    let state = State::open(vec![source], settings).expect("a state");
    let axe = axe::fetch();
    with_page(&program, state, |page, address| {
        page.open(address);
        page.wait(TILES, PICTURES.len() + 2);
        axe::finds_nothing(page, axe.as_deref(), "the list");
        lost_items(page, address);
        the_slider_ends_at_the_best(page, address);
        folders(page, address);
        axe::finds_nothing(page, axe.as_deref(), "the filters");
        a_picture_in_the_address(page, address);
        files(page, address);
        tags(page, address);
        in_chinese(page, address);
        page.click(".tile a");
        page.wait("document.querySelectorAll('#info .Similar img').length > 1", true);
        axe::finds_nothing(page, axe.as_deref(), "an open item on a Chinese phone");
        // What was refused and what is gone is told by the browser, too.
        let expected = |complaint: &String| complaint.contains(" of 40");
        page.complaints.retain(|complaint| !expected(complaint));
    });
}

/// A list that is no higher than what is loaded ahead goes on, too, as far as there is something.
#[test]
fn a_list_goes_on_to_its_end_on_a_phone() {
    let Some(program) = chromium::find() else {
        let told = "\nNOT RUN: a long list in a browser, for there is no chromium here\n\n";
        std::io::stderr().write_all(told.as_bytes()).expect("standard error");
        return;
    };
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/demo/png");
    let all = std::fs::read_dir(demo).expect("the demo's pictures");
    let all: Vec<String> =
        all.map(|file| file.expect("one").file_name().into_string().expect("a name")).collect();
    assert!(all.len() > 60, "more than a page of answers");
    let home = Home::new(&all.iter().map(String::as_str).collect::<Vec<_>>());
    with_page(&program, home.state(Settings::default()), |page, address| {
        page.be_a_phone();
        page.open(&format!("{address}?q=a+dog&fold=off"));
        page.wait(TILES, 60);
        let down = "scrollTo(0, document.body.scrollHeight)";
        page.wait(&format!("{down}, {TILES}"), all.len());
        page.wait("document.querySelectorAll('.tile img').length", all.len());
    });
}

/// An item that is not there, or not any more, is said, and the results are there.
fn lost_items(page: &mut Page, address: &str) {
    page.open(&format!("{address}?q=a+dog&item=999999"));
    page.wait(TOAST, "This item is not in the gallery.");
    page.wait(CLOSED, true);
    page.wait(&format!("{TILES} > 3"), true);
    let cake = page.value(
        "fetch('/v1/items?where=name=cake').then((a) => a.json()).then((a) => a.hits[0].id)",
    );
    let change = |page: &mut Page, method: &str, uri: &str| {
        let about = json!({ "method": method, "headers": { "content-type": "application/json" },
            "body": json!({ "ids": [cake] }).to_string() });
        let done = page.value(&format!("fetch('{uri}', {about}).then((answer) => answer.ok)"));
        assert_eq!(done, true);
    };
    change(page, "DELETE", "/v1/items");
    page.open(&format!("{address}?item={cake}"));
    page.wait(TOAST, "This item was removed from the gallery.");
    page.wait(CLOSED, true);
    page.open(&format!("{address}?removed=only&item={cake}"));
    page.wait("document.querySelector('#detail[open] h2').textContent", "cake.png");
    page.press("Escape");
    change(page, "POST", "/v1/items/restore");
}

/// At the right end of the slider the best hit is still there.
fn the_slider_ends_at_the_best(page: &mut Page, address: &str) {
    page.open(&format!("{address}?q=a+dog+on+the+grass&fold=off"));
    page.wait(&format!("{TILES} > 3"), true);
    page.value(
        "{ const min = document.querySelector('#min'); min.value = min.max; min.dispatchEvent(new Event('input')); }",
    );
    page.wait("Number(document.querySelector('#min').value) > 0", true);
    page.wait(TILES, 1);
    page.wait(FIRST, "A brown dog is running on the green grass.");
    page.wait("location.search.includes('min=')", true);
}

/// Each folder stands once, by its path below the one that holds all, with what is in it and below.
fn folders(page: &mut Page, address: &str) {
    page.open(address);
    page.wait(&format!("{TILES} > 3"), true);
    page.press("f");
    let group = "document.querySelector('[data-field=folder]')";
    page.wait(&format!("{group}.checkVisibility()"), true);
    page.value(&format!("{group}.open || {group}.querySelector('summary').click()"));
    let shown = format!(
        "[...{group}.querySelectorAll('.choice')].map((choice) => [...choice.querySelectorAll('span')]\
         .map((span) => span.textContent).join(' '))"
    );
    page.wait(&format!("{shown}.join()"), "旅行 9,家 2,家/2020 1");
    page.value(&format!("{group}.querySelectorAll('input')[1].click()"));
    page.wait(TILES, 2);
    page.wait("new URLSearchParams(location.search).get('f').endsWith('/旅行/家/')", true);
    page.value(&format!("{group}.querySelectorAll('input')[2].click()"));
    page.wait(TILES, 1);
    page.wait(FIRST, "beach.png");
    page.wait("new URLSearchParams(location.search).getAll('f').length", 1);
}

/// The address of a picture's query is the same query for who has nothing of this session; what the server has lost is said.
fn a_picture_in_the_address(page: &mut Page, address: &str) {
    page.open(address);
    page.wait(&format!("{TILES} > 3"), true);
    let demo =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/demo/png/cake.png");
    page.drop_files(".tile", &[&demo.canonicalize().expect("a picture")]);
    page.wait(FIRST, "cake.png");
    page.wait("/image=[0-9a-f]{32}/.test(location.search)", true);
    page.value("sessionStorage.clear()");
    page.call("Page.reload", json!({}));
    page.wait("document.querySelector('#parts .chip img').naturalWidth > 0", true);
    page.wait(FIRST, "cake.png");
    // A picture that this session has and the server has not is sent again.
    let lost = "0123456789abcdef".repeat(2);
    page.value(&format!(
        "sessionStorage.setItem('tuwen.image.{lost}', JSON.stringify({}))",
        Value::from(data_uri(&demo_picture("guitar.png")))
    ));
    page.open(&format!("{address}?image={lost}"));
    page.wait(
        "document.querySelector('#error-detail').textContent.includes('send it again')",
        true,
    );
    page.wait(TILES, 0);
    page.wait(
        "document.querySelector('#error-title').textContent",
        "The query's picture is not kept any more",
    );
    page.wait("document.querySelector('#retry').checkVisibility()", false);
    // What is no key asks for nothing else, least of all for everything.
    page.open(&format!("{address}?image=deadbeef"));
    page.wait("document.querySelector('#error').checkVisibility()", true);
    page.wait(TILES, 0);
}

/// Several tags are written with commas between them.
fn tags(page: &mut Page, address: &str) {
    page.open(&format!("{address}?q=name%3Acow"));
    page.click(".tile a");
    page.click("#info .Tags input");
    page.write("最爱， 红色,");
    page.press("Enter");
    let shown = "[...document.querySelectorAll('#info .Tags .chip-text')].map((tag) => tag.textContent).join('|')";
    page.wait(shown, "最爱|红色");
    page.open(&format!("{address}?q=tag%3A%E7%BA%A2%E8%89%B2"));
    page.wait(TILES, 1);
}

/// What is taken along has tags, captions and fields, is harmless to a table program, and files keep their dates.
fn files(page: &mut Page, address: &str) {
    page.open(address);
    page.wait(&format!("{TILES} > 3"), true);
    let made = page.value(
        "(async () => {
            const { hits } = await (await fetch('/v1/items?where=name=bus')).json();
            const tag = { ids: [hits[0].id], add: ['=evil', 'red, \"big\"'] };
            await fetch('/v1/items/tags', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(tag) });
            const about = async ({ id }) => (await fetch(`/v1/items/${id}`)).json();
            const { exported, zipped } = await import('/ui/export.js');
            const files = {};
            for (const format of ['JSON', 'CSV', 'HTML']) files[format] = await exported(format, hits, about);
            const { blob } = await zipped(hits, ({ id }) => `/v1/items/${id}/image`, () => {});
            const day = new DataView(await blob.arrayBuffer()).getUint16(12, true);
            return { ...files, year: 1980 + (day >> 9), now: new Date().getFullYear() };
        })()",
    );
    let text = |name: &str| made[name].as_str().expect("a file").to_owned();
    let json: Value = serde_json::from_str(&text("JSON")).expect("JSON");
    let bus = &json[0];
    assert_eq!(
        (&bus["name"], &bus["tags"]),
        (&"bus.png".into(), &json!(["=evil", "red, \"big\""]))
    );
    assert_eq!(bus["captions"], json!(["=cmd|' /C calc'!A0"]));
    assert_eq!(bus["fields"]["extension"], json!(["png"]), "{bus}");
    let csv = text("CSV");
    let (head, row) = csv.trim_start_matches('\u{feff}').split_once("\r\n").expect("lines");
    assert!(head.contains(",captions,tags,") && head.contains(",extension"), "{head}");
    assert!(row.contains(",'=cmd|' /C calc'!A0,\"'=evil; red, \"\"big\"\"\","), "{row}");
    assert!(text("HTML").contains("=evil, red, \"big\""), "{}", text("HTML").len());
    assert_eq!(made["year"], made["now"], "the copies were made a moment ago");
}

/// What the server says is said in the page's language.
fn in_chinese(page: &mut Page, address: &str) {
    page.be_a_phone();
    page.open(&format!("{address}?q=width%3A%3E%3Dwide"));
    let detail = "document.querySelector('#error-detail').textContent";
    page.wait(&format!("{detail}.includes('width is a number')"), true);
    page.click("#language");
    page.wait(&format!("{detail}.includes('应为数字') && {detail}.includes('\"wide\"')"), true);
    page.open(&format!("{address}?q=a+dog+yaer%3A2020"));
    page.wait("document.querySelector('.remarks').textContent.includes('不是字段')", true);
    page.open(&format!("{address}?item=999999"));
    page.wait(TOAST, "图库中没有这一项。");
    page.wait("document.documentElement.scrollWidth > innerWidth", false);
    page.wait(CLOSED, true);
}
