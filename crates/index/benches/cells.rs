//! Search in cells, in galleries of vectors like CLIP's (`like_clip`).
//!
//! `cargo bench --workspace --bench cells -- make OUT ROWS` makes a gallery in OUT/ROWS with cells, and, up to a million
//! rows, OUT/ROWS.fbin for other programs, with OUT/queries.fbin: 2,000 captions of other pictures. Files that are there are taken instead, OUT/captions.fbin too: so real
//! vectors are measured.
//! `… search OUT ROWS` opens it and prints, in JSON, how long that and the first answer take, and for queries one by one and all at
//! once recall, queries for each second of CPU time, and memory. `… filters OUT ROWS` does it for some of the rows.
//! `… check IMAGES.npy TEXTS.npy` compares the generator with real vectors, five texts to a picture in a row.

mod like_clip;

use std::path::{Path, PathBuf};
use std::time::Instant;

use like_clip::{DIM, World, dot};
use tuwen_index::{CellsOptions, Gallery, Hit, IdSet, Modality, ModelId, NewItem, Vectors};

const K: usize = 10;
const SEED: u64 = 7;
/// Captions in a gallery, by which widths are chosen.
const CAPTIONS: usize = 3000;
/// Queries that are measured.
const QUERIES: usize = 2000;
/// The first picture that is in no gallery.
const BEYOND: usize = 1_000_000_000;
/// Rows that one transaction adds.
const PORTION: usize = 20_000;
/// Rows up to which others get a file.
const SHARED: usize = 1_000_000;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["make", out, rows] => make(Path::new(out), rows.parse().expect("a number of rows")),
        ["search", out, rows] => search(Path::new(out), rows),
        ["filters", out, rows] => filters(Path::new(out), rows),
        ["check", images, texts] => check(Path::new(images), Path::new(texts)),
        _ => {
            let out = tempfile::tempdir().expect("a folder");
            make(out.path(), 100_000);
            search(out.path(), "100000");
        }
    }
}

fn model() -> ModelId {
    ModelId { name: "like-clip".into(), fingerprint: "like-clip-1".into(), dim: DIM }
}

fn make(out: &Path, rows: usize) {
    let world = World::new(SEED);
    std::fs::create_dir_all(out).expect("a folder");
    if !out.join("queries.fbin").is_file() {
        let (_, queries) = world.make(BEYOND, QUERIES, 1);
        write(&out.join("queries.fbin"), QUERIES, |put| put(&queries));
    }
    let gallery =
        Gallery::open_for_writing(&out.join(rows.to_string()), &model()).expect("a gallery");
    let begun = Instant::now();
    let captions = match out.join("captions.fbin") {
        file if file.is_file() => read(&file),
        _ => world.make(BEYOND + 1_000_000, CAPTIONS, 1).1,
    };
    add(&gallery, Modality::Text, 0, &captions);
    let file = out.join(format!("{rows}.fbin"));
    let theirs = file.is_file().then(|| std::fs::File::open(&file).expect("a file"));
    let mut theirs = theirs.map(std::io::BufReader::new);
    let mut bytes = [0; 8];
    theirs.iter_mut().for_each(|file| std::io::Read::read_exact(file, &mut bytes).expect("a head"));
    let mut all = |put: &mut dyn FnMut(&[f32])| {
        for first in (0..rows).step_by(PORTION) {
            let count = PORTION.min(rows - first);
            let some = match &mut theirs {
                Some(file) => some_of(file, count),
                None => world.pictures(first, count),
            };
            add(&gallery, Modality::Image, first, &some);
            put(&some);
        }
    };
    match rows <= SHARED && !file.is_file() {
        true => write(&file, rows, all),
        false => all(&mut |_| {}),
    }
    let added = begun.elapsed().as_secs_f64();
    drop(gallery);
    let gallery = Gallery::open(&out.join(rows.to_string())).expect("a gallery");
    let (begun, cpu) = (Instant::now(), cpu_seconds());
    let options =
        CellsOptions { always: true, texts: Vec::new(), target: target(), goes_on: &|_| true };
    let made = gallery.make_cells(Modality::Image, &options).expect("cells").expect("cells");
    println!(
        "{{\"rows\": {rows}, \"added_s\": {added:.1}, \"cells\": {}, \"built_s\": {:.1}, \"built_cpu_s\": {:.1}, \
         \"peak_mb\": {}, \"widths\": {:?}, \"recall\": {:?}}}",
        made.cells,
        begun.elapsed().as_secs_f64(),
        cpu_seconds() - cpu,
        memory("VmHWM"),
        made.widths.text,
        made.recall.iter().map(|r| (r.k, r.cells, r.recall)).collect::<Vec<_>>()
    );
}

/// The share of the best that is asked for.
fn target() -> f32 {
    let given = std::env::var("TARGET").ok().and_then(|target| target.parse().ok());
    given.unwrap_or(CellsOptions::TARGET)
}

fn add(gallery: &Gallery, modality: Modality, first: usize, vectors: &[f32]) {
    let put = |gallery: &Gallery| {
        for (at, vector) in vectors.chunks_exact(DIM).enumerate() {
            gallery.insert(&NewItem {
                modality,
                origin: format!("{}/{:09}.jpg", (first + at) / 1000, first + at).into_bytes(),
                metadata: "{}".into(),
                vector: vector.to_vec(),
                ..NewItem::default()
            })?;
        }
        Ok(())
    };
    gallery.transaction(put).expect("committed");
}

fn opened(out: &Path, rows: &str) -> Vectors {
    let gallery = Gallery::open(&out.join(rows)).expect("a gallery");
    gallery.vectors(Modality::Image).expect("vectors")
}

fn search(out: &Path, rows: &str) {
    let queries = read(&out.join("queries.fbin"));
    let begun = Instant::now();
    let vectors = opened(out, rows);
    let opened_ms = ms(begun);
    vectors.search(&queries[..DIM], K, None).expect("hits");
    let first_ms = ms(begun);
    let truth = truth(&out.join(format!("{rows}.truth")), &vectors, &queries);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    // Once without counting, so that all that is needed is at hand.
    let found = pool.install(|| vectors.search_all(&queries, K, None)).expect("hits");
    let work = vectors.work();
    let (cpu, begun) = (cpu_seconds(), Instant::now());
    for query in queries.chunks_exact(DIM) {
        vectors.search(query, K, None).expect("hits");
    }
    let one_by_one = (cpu_seconds() - cpu, begun.elapsed().as_secs_f64());
    let after = vectors.work();
    let cpu = cpu_seconds();
    pool.install(|| vectors.search_all(&queries, K, None)).expect("hits");
    let together = cpu_seconds() - cpu;
    let plan = vectors.plan(&queries[..DIM], K, None);
    let count = QUERIES as f64;
    println!(
        "{{\"rows\": {rows}, \"way\": {:?}, \"cells\": {:?}, \"opened_ms\": {opened_ms:.1}, \"first_answer_ms\": {first_ms:.1}, \
         \"recall\": {:.4}, \"queries_per_cpu_s\": {:.0}, \"ms\": {:.3}, \"together_per_cpu_s\": {:.0}, \"rows_looked_at\": {}, \
         \"rescored\": {:.1}, \"rss_mb\": {}, \"anonymous_mb\": {}}}",
        plan.way,
        plan.cells,
        recall(&truth, &found),
        count / one_by_one.0,
        1000.0 * one_by_one.1 / count,
        count / together,
        (after.bounded - work.bounded) / QUERIES as u64,
        (after.rescored - work.rescored) as f64 / count,
        memory("VmRSS"),
        memory("RssAnon")
    );
}

/// Some of the rows: spread evenly, or those that are nearest to another query, and those that are farthest.
fn filters(out: &Path, rows: &str) {
    let queries = read(&out.join("queries.fbin"));
    let vectors = opened(out, rows);
    let count = vectors.len();
    let topic = vectors.search_all_exact(&queries[..DIM], count, None).expect("hits");
    let by_topic: Vec<u64> = topic[0].iter().map(|hit| hit.id).collect();
    let queries = &queries[DIM..201 * DIM];
    for share in [0.001, 0.01, 0.1, 0.5] {
        let some = (count as f64 * share) as usize;
        let evenly: IdSet = by_topic
            .iter()
            .copied()
            .filter(|id| id * 2_654_435_761 % 100_003 < (share * 100_003.0) as u64)
            .collect();
        let near: IdSet = by_topic[..some].iter().copied().collect();
        let far: IdSet = by_topic[count - some..].iter().copied().collect();
        for (name, among) in [("evenly", evenly), ("near a topic", near), ("far from it", far)] {
            let wanted = vectors.search_all_exact(queries, K, Some(&among)).expect("hits");
            let cpu = cpu_seconds();
            let found = queries
                .chunks_exact(DIM)
                .map(|query| vectors.search(query, K, Some(&among)).expect("hits"));
            let found: Vec<Vec<Hit>> = found.collect();
            let each = (cpu_seconds() - cpu) * 1000.0 / 200.0;
            let cpu = cpu_seconds();
            for query in queries.chunks_exact(DIM).take(20) {
                vectors.search_all_exact(query, K, Some(&among)).expect("hits");
            }
            let exact = (cpu_seconds() - cpu) * 1000.0 / 20.0;
            let plan = vectors.plan(&queries[..DIM], K, Some(&among));
            println!(
                "{:.1} % {name}: {} rows, {:?} {:?}, recall {:.3}, {each:.2} ms CPU a query, exact {exact:.2}, short {}",
                share * 100.0,
                among.len(),
                plan.way,
                plan.cells,
                recall(&wanted, &found),
                found.iter().filter(|hits| hits.len() < K.min(among.len())).count()
            );
        }
    }
}

/// The best for certain, remembered in a file.
fn truth(file: &PathBuf, vectors: &Vectors, queries: &[f32]) -> Vec<Vec<Hit>> {
    if let Ok(bytes) = std::fs::read(file) {
        let numbers: Vec<u64> =
            bytes.as_chunks::<8>().0.iter().map(|&b| u64::from_le_bytes(b)).collect();
        let hit = |pair: &[u64]| Hit { id: pair[0], score: f32::from_bits(pair[1] as u32) };
        return numbers
            .chunks_exact(2 * K)
            .map(|hits| hits.chunks_exact(2).map(hit).collect())
            .collect();
    }
    let hits = vectors.search_all_exact(queries, K, None).expect("hits");
    let numbers = hits.iter().flatten().flat_map(|hit| [hit.id, u64::from(hit.score.to_bits())]);
    let bytes: Vec<u8> = numbers.flat_map(u64::to_le_bytes).collect();
    std::fs::write(file, bytes).expect("written");
    hits
}

fn recall(wanted: &[Vec<Hit>], found: &[Vec<Hit>]) -> f64 {
    let (mut right, mut all) = (0, 0);
    for (wanted, found) in wanted.iter().zip(found) {
        right += found.iter().filter(|hit| wanted.iter().any(|other| other.id == hit.id)).count();
        all += wanted.len();
    }
    right as f64 / all.max(1) as f64
}

/// Figures of real vectors and of made ones.
fn check(images: &Path, texts: &Path) {
    let (images, texts) = (npy(images), npy(texts));
    let pictures: Vec<f32> =
        images.chunks_exact(5 * DIM).flat_map(|five| &five[..DIM]).copied().collect();
    let (made, captions) = World::new(SEED).make(BEYOND, 1000, 5);
    println!("{:<44} {:>8} {:>8}", "", "real", "made");
    let count = pictures.len() / DIM;
    let real = figures(&pictures, &texts);
    let made = figures(&made[..count * DIM], &captions[..5 * count * DIM]);
    for ((name, real), (_, made)) in real.into_iter().zip(made) {
        println!("{name:<44} {real:>8.3} {made:>8.3}");
    }
}

/// Of pictures (N, D) and five captions of each.
fn figures(pictures: &[f32], texts: &[f32]) -> Vec<(&'static str, f32)> {
    let (mut pairs, mut nearest) = (Vec::new(), Vec::new());
    for (at, a) in pictures.chunks_exact(DIM).enumerate() {
        let others = pictures.chunks_exact(DIM).enumerate().filter(|(other, _)| *other != at);
        let cosines: Vec<f32> = others.map(|(_, b)| dot(a, b)).collect();
        nearest.push(cosines.iter().fold(f32::MIN, |most, c| most.max(*c)));
        pairs.extend(cosines);
    }
    let (mut own, mut other, mut first, mut same, mut apart) =
        (vec![], vec![], vec![], vec![], vec![]);
    for (at, text) in texts.chunks_exact(DIM).enumerate() {
        let cosines: Vec<f32> =
            pictures.chunks_exact(DIM).map(|picture| dot(text, picture)).collect();
        own.push(cosines[at / 5]);
        let best = cosines.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map(|(at, _)| at);
        first.push(f32::from(u8::from(best == Some(at / 5))));
        other.extend(cosines.iter().enumerate().filter(|(of, _)| *of != at / 5).map(|(_, c)| *c));
        for (with, text2) in texts.chunks_exact(DIM).enumerate().filter(|(with, _)| *with != at) {
            if with / 5 == at / 5 {
                same.push(dot(text, text2))
            } else {
                apart.push(dot(text, text2))
            }
        }
    }
    let [pair, spread] = mean_and_deviation(&pairs);
    let [others, width] = mean_and_deviation(&other);
    let [owns, own_width] = mean_and_deviation(&own);
    let [aparts, apart_width] = mean_and_deviation(&apart);
    vec![
        ("two pictures, cosine", pair),
        ("   standard deviation", spread),
        ("   the nearest other picture", mean_and_deviation(&nearest)[0]),
        ("captions of two pictures", aparts),
        ("   standard deviation", apart_width),
        ("captions of one picture", mean_and_deviation(&same)[0]),
        ("caption and another picture", others),
        ("   standard deviation", width),
        ("caption and its picture", owns),
        ("   standard deviation", own_width),
        ("captions that find their picture first", mean_and_deviation(&first)[0]),
        ("dimensions that pictures fill (participation)", filled(pictures)),
        ("dimensions that captions fill", filled(texts)),
    ]
}

fn mean_and_deviation(values: &[f32]) -> [f32; 2] {
    let mean = values.iter().sum::<f32>() / values.len() as f32;
    let squares = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>();
    [mean, (squares / values.len() as f32).sqrt()]
}

/// The participation ratio of the covariance's eigenvalues, from sums over the Gram matrix.
fn filled(vectors: &[f32]) -> f32 {
    let count = vectors.len() / DIM;
    let mut mean = vec![0f32; DIM];
    vectors
        .chunks_exact(DIM)
        .for_each(|row| mean.iter_mut().zip(row).for_each(|(m, v)| *m += v / count as f32));
    let rows: Vec<Vec<f32>> = vectors
        .chunks_exact(DIM)
        .map(|row| row.iter().zip(&mean).map(|(v, m)| v - m).collect())
        .collect();
    let (mut trace, mut squares) = (0.0, 0.0);
    for a in &rows {
        trace += dot(a, a);
        squares += rows.iter().map(|b| dot(a, b).powi(2)).sum::<f32>();
    }
    trace * trace / squares
}

fn write(path: &Path, rows: usize, all: impl FnOnce(&mut dyn FnMut(&[f32]))) {
    let file = std::fs::File::create(path).expect("a file");
    let mut file = std::io::BufWriter::new(file);
    let mut put = |bytes: &[u8]| std::io::Write::write_all(&mut file, bytes).expect("written");
    [rows, DIM].iter().for_each(|&number| put(&(number as u32).to_le_bytes()));
    all(&mut |values| values.iter().for_each(|value| put(&value.to_le_bytes())));
}

/// The next rows of a file.
fn some_of(file: &mut impl std::io::Read, rows: usize) -> Vec<f32> {
    let mut bytes = vec![0; rows * DIM * 4];
    file.read_exact(&mut bytes).expect("as many rows as its head says");
    bytes.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
}

fn read(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).expect("made before");
    bytes[8..].as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
}

/// Values of a .npy file of f32 in rows of 512.
fn npy(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).expect("a file");
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    bytes[start..].as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
}

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

/// Of all threads, as the system counts it.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let of = |path: PathBuf| {
        let text = std::fs::read_to_string(path.join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    };
    let all: f64 = tasks.filter_map(|task| of(task.path())).sum();
    all.max(stat.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0.0)) / 1e9
}

/// A line of what the system says of this process, in MB.
fn memory(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) / 1024
}
