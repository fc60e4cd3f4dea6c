//! The page at `/`, and what belongs to it.

use super::*;
use crate::http::pages::Pages;

/// A request as a browser makes it.
async fn browse(town: &Town, path: &str) -> Got {
    let accept = "text/html,application/xhtml+xml,*/*;q=0.8";
    town.get(path).header("accept", accept).header("accept-encoding", "gzip, br").get().await
}

/// The addresses that a page names.
fn named(page: &str) -> Vec<&str> {
    page.split('"').filter(|part| part.starts_with("/assets/")).collect()
}

#[tokio::test]
async fn a_browser_gets_the_page_and_others_the_index() {
    let town = Town::open().await;
    let page = town.get("/").header("accept", "text/html").get().await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    let text = String::from_utf8(page.bytes.to_vec()).unwrap();
    assert!(text.contains("<html lang=\"zh-CN\">") && !text.contains("{{"), "{text}");
    assert!(!text.contains("<style") && !text.contains("style=") && !text.contains("onload"), "{text}");
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'self';") && !policy.contains("unsafe"), "{policy}");
    assert_eq!((page.header("x-content-type-options"), page.header("referrer-policy")), ("nosniff", "no-referrer"));

    let again = town.get("/").header("accept", "text/html").header("if-none-match", page.header("etag")).get().await;
    assert_eq!((again.status.as_u16(), again.bytes.len()), (304, 0));
    for accept in ["*/*", "application/json", "text/plain"] {
        let index = town.get("/").header("accept", accept).get().await;
        assert_eq!(index.body["openapi"], "/openapi.json", "{accept}");
    }
}

#[tokio::test]
async fn the_api_is_readable_without_asking_anybody_else() {
    let town = Town::open().await;
    let page = town.get("/docs").get().await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").starts_with("default-src 'self';"));
    let text = String::from_utf8(page.bytes.to_vec()).unwrap();
    assert!(!text.contains("http://") && !text.contains("https://"), "{text}");
    for address in named(&text) {
        assert_eq!(town.get(address).get().await.status, 200, "{address}");
    }
}

#[tokio::test]
async fn what_the_page_names_is_there_for_ever() {
    let town = Town::open().await;
    let page = town.get("/").header("accept", "text/html").get().await;
    let text = String::from_utf8(page.bytes.to_vec()).unwrap();
    let addresses = named(&text);
    assert!(addresses.len() > 5, "{text}");
    for address in addresses {
        let part = browse(&town, address).await;
        assert_eq!(part.status, 200, "{address}");
        assert_eq!(part.header("cache-control"), "public, max-age=31536000, immutable", "{address}");
        assert_eq!(part.header("content-encoding"), "gzip", "{address}");
        assert_eq!(part.header("x-content-type-options"), "nosniff");
        let plain = town.get(address).get().await;
        assert_eq!((plain.header("content-encoding"), plain.header("content-type")), ("", part.header("content-type")));
        let mut unpacked = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&part.bytes[..]), &mut unpacked).unwrap();
        assert_eq!(unpacked, plain.bytes, "{address}");
    }
}

#[tokio::test]
async fn the_first_load_is_small() {
    let town = Town::open().await;
    let page = browse(&town, "/").await;
    let text = String::from_utf8(town.get("/").header("accept", "text/html").get().await.bytes.to_vec()).unwrap();
    let root = named(&text)[0].splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    let mut bytes = page.bytes.len();
    let web = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
    let mut folders = vec![web.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&web).unwrap().to_str().unwrap();
            if name.ends_with("js") || name.ends_with("css") {
                bytes += browse(&town, &format!("{root}/{name}")).await.bytes.len();
            }
        }
    }
    assert!((100_000..560_000).contains(&bytes), "{bytes} bytes of page, scripts and styles");
}

#[tokio::test]
async fn nothing_else_is_there() {
    let town = Town::open().await;
    let page = String::from_utf8(town.get("/").header("accept", "text/html").get().await.bytes.to_vec()).unwrap();
    let root = named(&page)[0].splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    for path in ["nothing.js", "index.html", "..%2FCargo.toml", ""] {
        assert_eq!(browse(&town, &format!("{root}/{path}")).await.status, 404, "{path}");
    }
    assert_eq!(browse(&town, "/assets/0000000000000000/main.js").await.status, 404);
}

#[tokio::test]
async fn pages_are_read_from_a_folder_while_they_are_worked_on() {
    let town = Town::open().await;
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("web")).unwrap();
    std::fs::write(dir.path().join("secret.js"), "1").unwrap();
    std::fs::write(dir.path().join("web/index.html"), "<script src=\"{{assets}}/a.js\"></script>").unwrap();
    std::fs::write(dir.path().join("web/a.js"), "let a;").unwrap();
    let app = Parts::new(Arc::clone(&town.guli), "https://guli.example", 16);
    let router = router(app.with_pages(Pages::new(Some(dir.path().join("web")))).into(), &[]);
    let town = Town { router, ..town };
    let page = town.get("/").header("accept", "text/html").get().await;
    assert_eq!(page.bytes, "<script src=\"/assets/dev/a.js\"></script>");
    let part = town.get("/assets/dev/a.js").get().await;
    assert_eq!((part.header("cache-control"), &part.bytes[..]), ("no-store", &b"let a;"[..]));
    std::fs::write(dir.path().join("web/a.js"), "let b;").unwrap();
    assert_eq!(town.get("/assets/dev/a.js").get().await.bytes, "let b;");
    for path in ["..%2Fsecret.js", "../secret.js", "%2Fetc%2Fpasswd", "b.js"] {
        assert_eq!(town.get(&format!("/assets/dev/{path}")).get().await.status, 404, "{path}");
    }
}
