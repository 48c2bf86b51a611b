//! The page as somebody uses it: a real server, a real gallery, a real browser.

mod chromium;
mod common;

use std::io::Write;
use std::path::Path;

use chromium::Page;
use chromium::served::with_page;
use common::{Home, demo_picture};
use tuwen_serve::Settings;

/// The first hit as the page shows it, the caption and the score below.
const FIRST: &str = "document.querySelector('.tile .caption').textContent";
const TILES: &str = "document.querySelectorAll('.tile').length";
const DETAIL: &str = "(document.querySelector('#detail[open] h2')?.textContent ?? null)";

const CALIBRATED: &str = "({ galleries }) => galleries[0].calibrated";

/// Pictures that the test looks for by their names.
const ASKED: &[&str] =
    &["bicycle.png", "cake.png", "cow.png", "dog_grass.png", "guitar.png", "hammer.png"];

/// Pictures that are added by the page.
const LATER: [&str; 2] = ["guitar.png", "hammer.png"];

#[test]
fn the_page_does_what_people_ask_of_it() {
    let Some(program) = chromium::find() else {
        // Past the test's own capture: somebody should read it.
        let told = "\nNOT RUN: the page's test in a browser, for there is no chromium here; \
                    `apt-get install chromium` brings it\n\n";
        std::io::stderr().write_all(told.as_bytes()).expect("standard error");
        return;
    };
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/demo/png");
    let demo = demo.canonicalize().expect("the demo's pictures"); // Chromium drops no `..`
    let files = std::fs::read_dir(&demo).expect("the demo's pictures");
    let names = files.map(|file| file.expect("a file").file_name().into_string().expect("a name"));
    let mut names: Vec<String> = names
        // Another dog on the grass, which comes as near.
        .filter(|name| !LATER.contains(&name.as_str()) && name != "dog_ball.png")
        .collect();
    names.sort_unstable();
    names.truncate(70); // more than one page of the grid, and soon embedded
    let home = Home::new(&names.iter().map(String::as_str).collect::<Vec<_>>());
    // As many captions as say what scores mean, those of `Home` among them.
    let named: Vec<String> =
        names.iter().map(|name| name.replace(".png", "").replace('_', " ")).collect();
    let mut captions = vec![
        ("dog_grass.png", "A brown dog is running on the green grass."),
        ("dog_grass.png", "一只棕色的狗在绿色的草地上奔跑。"),
        ("cow.png", common::HOSTILE),
    ];
    let others = |(name, _): &(&str, &str)| !ASKED.contains(name);
    let pairs = names.iter().map(String::as_str).zip(named.iter().map(String::as_str));
    captions.extend(pairs.filter(others));
    home.index(&captions);
    let state = home.state(Settings { open_to_changes: true, ..Settings::default() });
    with_page(&program, state, |page, address| {
        words(page, address);
        an_open_item(page, address);
        the_keyboard_alone(page, address);
        a_picture(page, &home, &demo);
        the_whole_list(page, address, names.len() + 1);
        a_folder(page, &home, names.len() + 2);
        tags_and_removal(page, address);
        duplicates(page, address);
        newest_first(page, address);
        language_and_phone(page, address);
        narrow(page, address);
    });
}

/// Types a query; the right picture comes first, in both languages, and the address holds it.
fn words(page: &mut Page, address: &str) {
    page.open(address);
    page.wait(&format!("{TILES} >= 50"), true);
    // Soon after the start the server knows what scores mean.
    page.wait(
        &format!("fetch('/v1/stats').then((answer) => answer.json()).then({CALIBRATED})"),
        true,
    );
    page.press("/");
    page.write("a dog on the grass");
    page.press("Enter");
    page.wait(FIRST, "A brown dog is running on the green grass.");
    page.wait("new URLSearchParams(location.search).get('q')", "a dog on the grass");
    page.wait("document.querySelector('.tile img.there') !== null", true);
    let score = "/^0\\.\\d{3} · \\d+%$/.test(document.querySelector('.tile .score').textContent)";
    page.wait(score, true);
    page.click("#clear");
    page.write("一辆红色的自行车停在墙边");
    page.press("Enter");
    page.wait(FIRST, "bicycle.png");
    page.value("history.back()");
    page.wait("document.querySelector('#query').value", "");
    page.value("history.back()");
    page.wait("document.querySelector('#query').value", "a dog on the grass");
    page.wait(FIRST, "A brown dog is running on the green grass.");
}

/// Opens a hit, goes to the next one, loads the page again and comes back. What a caption says stays a text.
fn an_open_item(page: &mut Page, address: &str) {
    page.click(".tile a");
    page.wait(DETAIL, "dog_grass.png");
    page.wait("document.querySelector('#picture').complete", true);
    page.wait("document.querySelectorAll('#info .Similar img').length > 3", true);
    page.press("ArrowRight");
    page.wait(&format!("{DETAIL} !== 'dog_grass.png'"), true);
    let second = page.value(DETAIL);
    page.call("Page.reload", serde_json::json!({}));
    page.wait(DETAIL, second);
    page.press("Escape");
    page.wait(DETAIL, serde_json::Value::Null);
    page.open(&format!("{address}?f=name=cow"));
    page.wait(FIRST, common::HOSTILE);
    page.click(".tile a");
    page.wait("document.querySelector('#info .Captions').textContent", common::HOSTILE);
    page.press("Escape");
    page.wait(DETAIL, serde_json::Value::Null);
    page.open(address);
    page.wait(&format!("{TILES} >= 50"), true);
}

/// Where nothing has the keyboard, arrows go into the grid; in an open item they go on when a button is gone that had it.
fn the_keyboard_alone(page: &mut Page, address: &str) {
    page.open(&format!("{address}?q=a+dog+on+the+grass"));
    page.wait(FIRST, "A brown dog is running on the green grass.");
    page.call("Page.reload", serde_json::json!({}));
    page.wait(FIRST, "A brown dog is running on the green grass.");
    page.wait("document.activeElement === document.body", true);
    let second = page.value("new URL(document.querySelectorAll('.tile a')[1].href).search");
    page.press("ArrowRight");
    page.press("ArrowRight");
    page.press("Enter");
    page.wait("location.search", second);
    page.press("ArrowLeft");
    page.wait(DETAIL, "dog_grass.png");
    page.wait("Boolean(document.querySelector('#info .map button'))", true);
    page.value("document.querySelector('#info .map button').focus()");
    page.press("Enter");
    page.wait("Boolean(document.querySelector('#info .map img'))", true);
    page.wait("document.querySelector('#detail').contains(document.activeElement)", true);
    page.press("ArrowRight");
    page.wait(&format!("{DETAIL} !== 'dog_grass.png'"), true);
    page.wait("document.querySelectorAll('#info .Similar img').length > 3", true);
    // The button that had the keyboard is replaced by those of the next item.
    page.value("document.querySelector('#info .actions button').focus()");
    page.press("ArrowLeft");
    page.wait(DETAIL, "dog_grass.png");
    page.press("ArrowRight");
    page.wait(&format!("{DETAIL} !== 'dog_grass.png'"), true);
    page.press("Escape");
    page.wait(DETAIL, serde_json::Value::Null);
    page.open(address);
    page.wait(&format!("{TILES} >= 50"), true);
}

/// By date only what matches is there, and that some is left out is said where the count is.
fn newest_first(page: &mut Page, address: &str) {
    page.open(&format!("{address}?q=a+dog+on+the+grass&sort=date"));
    page.wait(
        "/ · the best \\d+ of \\d+$/.test(document.querySelector('#count').textContent)",
        true,
    );
    page.wait("document.querySelector('.foot').textContent.startsWith('The list ends here')", true);
    page.wait("document.querySelectorAll('.remarks .notice').length <= 1", true);
    // And why, with the way on.
    page.wait("document.querySelector('.foot').textContent.includes('By date only')", true);
    page.value("document.querySelector('.foot .link').click()");
    page.wait("location.search.includes('sort')", false);
    page.wait("document.querySelector('.foot').textContent", "");
    page.open(&format!("{address}?q=width:300..200"));
    page.wait("document.querySelector('.remarks').textContent.includes('range')", true);
    page.press("f");
    page.wait("document.querySelector('#counts').checkVisibility()", true);
    page.wait("document.querySelectorAll('#groups .choice').length", 0);
    page.press("f");
}

/// On small phones every control lies in the window, in both languages, also those of a selection.
fn narrow(page: &mut Page, address: &str) {
    let outside = "[...document.querySelectorAll('.bar :is(a, button, input, select), .strip > *, #selection > *')]\
        .filter((node) => node.checkVisibility()).map((node) => [node.id || node.textContent, node.getBoundingClientRect()])\
        .filter(([, box]) => box.width && (box.left < 0 || box.right > innerWidth)).map(([name]) => name).join()";
    for width in [320, 390] {
        page.be_a_phone_of(width);
        page.open(&format!("{address}?q=a+dog+on+the+grass"));
        page.wait(FIRST, "A brown dog is running on the green grass.");
        page.wait("document.querySelector('#add').checkVisibility()", true);
        page.wait("innerWidth", width);
        page.wait("document.documentElement.scrollWidth", width);
        page.wait("document.querySelector('#count').textContent.length > 3", true);
        page.wait(outside, "");
        page.click("#select");
        page.click(".tile .mark");
        page.wait("document.querySelectorAll('#selection button').length > 7", true);
        page.wait(outside, "");
        page.click("#language");
        page.wait(outside, "");
        page.wait("document.documentElement.scrollWidth", width);
    }
}

/// Drops a picture, which is a query and can be added; loading the page again keeps it.
fn a_picture(page: &mut Page, home: &Home, demo: &Path) {
    page.drop_files(".tile", &[&demo.join("cake.png")]);
    page.wait(FIRST, "cake.png");
    page.wait("document.querySelectorAll('#parts .chip img').length", 1);
    page.call("Page.reload", serde_json::json!({}));
    page.wait("document.querySelectorAll('#parts .chip img').length", 1);
    page.wait(FIRST, "cake.png");
    page.click("#clear");
    page.wait("document.querySelectorAll('#parts .chip').length", 0);
    page.drop_files(".tile", &[&demo.join("guitar.png")]);
    page.wait("Boolean(document.querySelector('#parts .link'))", true);
    assert!(!home.gallery().join("uploads").exists(), "a query stores nothing");
    page.click("#parts .link");
    page.wait(FIRST, "guitar.png");
    page.click("#clear");
}

/// Scrolls to the end: every picture is there once.
fn the_whole_list(page: &mut Page, address: &str, all: usize) {
    page.open(address);
    page.wait(&format!("{TILES} >= 50"), true);
    let scroll = "scrollTo(0, document.documentElement.scrollHeight)";
    page.wait(&format!("({scroll}, {TILES})"), all);
    let distinct =
        "new Set([...document.querySelectorAll('.tile a')].map((link) => link.href)).size";
    page.wait(distinct, all);
    page.wait("document.querySelector('#count').textContent", format!("{all} items"));
}

/// Adds a folder of the server's machine; when it is indexed, its picture is there.
fn a_folder(page: &mut Page, home: &Home, all: usize) {
    let folder = home.path("更多");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::write(folder.join("hammer.png"), demo_picture("hammer.png")).expect("a picture");
    page.value("scrollTo(0, 0)");
    page.click("#add");
    page.click("#folder");
    page.write(folder.to_str().expect("UTF-8"));
    page.press("Enter");
    page.wait("document.querySelector('#jobs').textContent.includes('done · 1 / 1')", true);
    page.press("Escape");
    page.wait("document.querySelector('#count').textContent", format!("{all} items"));
}

/// Tags what is selected, finds it by the tag, takes it out of the gallery and puts it back.
fn tags_and_removal(page: &mut Page, address: &str) {
    page.open(&format!("{address}?f=name=cake"));
    page.wait(FIRST, "cake.png");
    page.click("#select");
    page.click(".tile .mark");
    let button =
        "[...document.querySelectorAll('#selection button')].find((node) => node.textContent";
    page.wait("document.querySelector('#selection [role=status]').textContent", "1 selected");
    page.value(&format!("{button} === 'Tag').click()"));
    page.wait("document.querySelector('#ask').open", true);
    page.write("生日, party");
    page.press("Enter");
    page.wait("document.querySelector('#toast').textContent", "Items changed: 1");
    page.open(&format!("{address}?q=tag:生日"));
    page.wait(TILES, 1);
    page.wait(FIRST, "cake.png");
    page.click("#select");
    page.click(".tile .mark");
    page.value(&format!("{button}.startsWith('Remove')).click()"));
    page.wait(TILES, 0);
    page.click("#toast .link");
    page.wait(TILES, 1);
    page.wait("document.querySelector('#toast').textContent", "1 restored.");
}

/// Finds two files of one picture, keeps one of them and takes it back. What the query has to do with a hit is said.
fn duplicates(page: &mut Page, address: &str) {
    // One dot is another colour, so that it is another file.
    let mut copy = tuwen_image::decode(&demo_picture("cow.png"), tuwen_image::Limits::default())
        .expect("a picture")
        .into_rgb();
    copy.put_pixel(0, 0, [1, 2, 3].into());
    let copy = tuwen_image::encode_png(&copy);
    let items =
        serde_json::json!([{ "name": "copy-of-cow.png", "image": common::data_uri(&copy) }]);
    let body = serde_json::json!({ "items": items }).to_string();
    page.value(&format!(
        "fetch('/v1/items', {{ method: 'POST', headers: {{ 'content-type': 'application/json' }}, \
         body: JSON.stringify({body}) }}).then((answer) => answer.ok)"
    ));
    page.open(&format!("{address}?f=extension=png&q=cow"));
    page.wait(&format!("{TILES} > 1"), true);
    let said =
        "[...document.querySelectorAll('.tile .why')].some((node) => node.textContent === 'cow')";
    page.wait(said, true);
    page.press("f");
    page.wait("document.querySelector('#find-duplicates').checkVisibility()", true);
    // Not by its place: the values above it are still coming.
    page.value("document.querySelector('#find-duplicates').click()");
    let pair = "[...document.querySelectorAll('#duplicate-groups li')].find((node) => \
                node.textContent.includes('copy-of-cow'))";
    page.wait(&format!("Boolean({pair})"), true);
    page.value(&format!("{pair}.querySelector('.actions button').click()"));
    page.wait(&format!("Boolean({pair})"), false);
    page.wait("fetch('/v1/items?removed=true').then((a) => a.json()).then((a) => a.total)", 1);
    page.click("#toast .link");
    page.wait(&format!("Boolean({pair})"), true);
    page.wait("fetch('/v1/items?removed=true').then((a) => a.json()).then((a) => a.total)", 0);
    page.click("#close-duplicates");
    page.press("f");
}

/// In Chinese, and on a phone: nothing is wider than the window, and both stay so when the page is loaded again.
fn language_and_phone(page: &mut Page, address: &str) {
    page.be_a_phone();
    page.open(&format!("{address}?q=a+dog+on+the+grass"));
    page.wait(FIRST, "A brown dog is running on the green grass.");
    page.wait("document.querySelector('#select').textContent", "Select");
    page.click("#language");
    page.wait("document.querySelector('#select').textContent", "选择");
    page.call("Page.reload", serde_json::json!({}));
    page.wait("document.querySelector('#select').textContent", "选择");
    page.wait("document.documentElement.lang", "zh-CN");
    page.wait(FIRST, "A brown dog is running on the green grass.");
    let too_wide = "document.documentElement.scrollWidth > innerWidth";
    page.wait(too_wide, false);
    page.wait("innerWidth", 390);
    page.click("#open-filters");
    page.wait("document.querySelectorAll('#groups .choice').length > 0", true);
    page.wait(too_wide, false);
    page.click("#close-filters");
    page.click(".tile a");
    page.wait(DETAIL, "dog_grass.png");
    page.wait(too_wide, false);
}
