use super::*;

#[test]
#[ignore = "writes the committed data again"]
fn regenerate() {
    let out = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/shibei");
    let start = std::time::Instant::now();
    let summary = generate(&out, &Options::default(), &mut |_, _| {}).unwrap();
    eprintln!("{summary:?} {:?}", start.elapsed());
}
