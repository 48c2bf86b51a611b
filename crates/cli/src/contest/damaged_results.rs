//! Damaged results are problems that are named, and never a crash.

use tuwen_image::rng::Rng;

use super::{Tables, Task, validate};

#[path = "../../../sets/tests/damage/mod.rs"]
mod damage;

use damage::{damaged, rounds};

#[test]
fn damaged_results_of_the_contest() {
    let folder = tempfile::tempdir().expect("a folder");
    let part = folder.path().join("附件2");
    std::fs::create_dir(&part).expect("a folder");
    let rows = |start: &str| (0..6).fold(String::new(), |all, i| format!("{all}{start}{i}\n"));
    std::fs::write(part.join("image_data.csv"), format!("image_id\n{}", rows("i")))
        .expect("a file");
    std::fs::write(part.join("word_test.csv"), "text_id,caption\nw0,x\nw1,y\n").expect("a file");
    let tables = Tables::read(folder.path(), Task::Words).expect("tables");
    let answers: String = ["w0", "w1"]
        .iter()
        .flat_map(|query| (0..5).map(move |at| format!("{query},{},i{at}\n", at + 1)))
        .collect();
    let good = format!("text_id,similarity_ranking,result_image_id\n{answers}");
    let path = folder.path().join("result1.csv");
    std::fs::write(&path, &good).expect("a file");
    assert_eq!(validate(&path, Task::Words, &tables).expect("a file"), []);
    let mut rng = Rng::new(&[4]);
    for _ in 0..rounds(1000) {
        let bytes = damaged(good.as_bytes(), &mut rng);
        std::fs::write(&path, &bytes).expect("a file");
        let problems = validate(&path, Task::Words, &tables);
        // Quotes and empty lines may change nothing; anything else must be right by a slow look.
        let looked = is_right(&String::from_utf8_lossy(&bytes));
        let quoted = bytes.contains(&b'"') || bytes.windows(2).any(|w| w == b"\n\n");
        let found = matches!(&problems, Ok(found) if found.is_empty());
        assert!(quoted || found == looked, "{}", String::from_utf8_lossy(&bytes));
    }
}

/// The same check in a few obvious lines.
fn is_right(text: &str) -> bool {
    let Some(rows) = text.strip_prefix("text_id,similarity_ranking,result_image_id\n") else {
        return false;
    };
    let rows: Vec<Vec<&str>> =
        rows.split_terminator('\n').map(|row| row.split(',').collect()).collect();
    let known = |image: &&str| ["i0", "i1", "i2", "i3", "i4", "i5"].contains(image);
    let right = |(at, row): (usize, &Vec<&str>)| match row[..] {
        [query, rank, image] => {
            let before = &rows[at / 5 * 5..at];
            query == ["w0", "w1"][at / 5]
                && rank == (at % 5 + 1).to_string()
                && known(&image)
                && before.iter().all(|other| other[2] != image)
        }
        _ => false,
    };
    text.ends_with('\n') && rows.len() == 10 && rows.iter().enumerate().all(right)
}
