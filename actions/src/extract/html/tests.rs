//! Links are found however the markup hides them, and reading ends on every input.

use super::read;

#[test]
fn links_are_found_in_every_dress() {
    let page = read(concat!(
        r#"<A class=x HREF="https://a.example/?a=1&amp;b=2">Login</a>"#,
        r#"<a href='https://b.example'>b</a><a href=https://c.example/x>c</a>"#,
        r#"<a/href="&#104;ttps&colon;&sol;&#x2f;d.example">d</a>"#,
        r#"<form action="https://e.example/post"><button formaction="https://f.example"></form>"#,
        r#"<meta http-equiv=refresh content="0; URL='https://g.example/'">"#,
        r#"<!--[if mso]><a href="https://h.example">h</a><![endif]-->"#,
        r#"<iframe src="https://i.example"></iframe><img src="https://logo.example/x.png">"#,
    ));
    assert_eq!(
        page.links,
        [
            "https://a.example/?a=1&b=2",
            "https://b.example",
            "https://c.example/x",
            "https://d.example",
            "https://e.example/post",
            "https://f.example",
            "https://g.example/",
            "https://h.example",
            "https://i.example",
        ]
    );
    assert!(page.text.contains("Login"));
}

#[test]
fn declarations_and_styles_are_not_text() {
    let page = read(concat!(
        r#"<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1.dtd">"#,
        "<style>@import url(https://fonts.example/x)</style>Hello &amp; <b>you</b><script>var u='https://s.example'</script>",
    ));
    assert!(
        !page.text.contains("w3.org") && !page.text.contains("fonts.example"),
        "{}",
        page.text
    );
    assert!(page.text.contains("Hello & "));
    assert!(page.text.contains("https://s.example"));
}

#[test]
fn reading_ends_on_every_prefix() {
    let page =
        r#"<!-- x --><a href = "y&#x;&#xFFFFFFFFF;&" b='c' = / >é<style>é</style><p class=é>&quot;</p"#;
    for end in (0..=page.len()).filter(|end| page.is_char_boundary(*end)) {
        read(&page[..end]);
    }
    for hostile in [
        "<",
        "<a",
        "<a href",
        "<a href=",
        "<a href=\"",
        "<a =",
        "<a ====>",
        "<a '''\"\">",
        "<style",
    ] {
        read(hostile);
        read(&hostile.repeat(20_000));
    }
}
