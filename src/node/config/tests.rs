use super::*;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// A folder of config files.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, files: &[(&str, &str)]) -> Folder {
        let path =
            std::env::temp_dir().join(format!("skynet-config-{}-{name}", std::process::id()));
        for (file, text) in files {
            let file = path.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        Folder(path)
    }

    fn read(&self, file: &str) -> Result<BTreeMap<String, String>, String> {
        let path = CString::new(self.0.join(file).to_str().unwrap()).unwrap();
        let text = |value: CString| value.into_string().unwrap();
        read(&path).map(|all| all.into_iter().map(|(k, v)| (text(k), text(v))).collect())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn one(name: &str, text: &str) -> Result<BTreeMap<String, String>, String> {
    Folder::new(name, &[("c", text)]).read("c")
}

#[test]
fn values_become_text() {
    let text = "a = 'x' b = 5 c = 1.0 d = 1e100 e = true f = false g = nil h = a .. b";
    let all = one("values", text).unwrap();
    let expected = [
        ("a", "x"),
        ("b", "5"),
        ("c", "1.0"),
        ("d", "1e+100"),
        ("e", "true"),
        ("f", "false"),
        ("h", "x5"),
    ];
    assert_eq!(all, expected.map(|(k, v)| (k.into(), v.into())).into());
}

#[test]
fn an_include_is_relative_to_the_file_that_includes() {
    let folder = Folder::new(
        "include",
        &[
            ("main", "include 'sub/one' include 'other' x = x .. 'm'"),
            ("sub/one", "include 'two' x = x .. '1'"),
            ("sub/two", "include 'deep/three' x = x .. '2'"),
            ("sub/deep/three", "x = '3'"),
            ("other", "x = x .. 'o'"),
        ],
    );
    assert_eq!(folder.read("main").unwrap()["x"], "321om");
}

#[test]
fn a_config_that_includes_itself_is_refused() {
    let files = [("one", "include 'two'"), ("two", "x = 1 include 'one'")];
    let reason = Folder::new("cycle", &files).read("one").unwrap_err();
    assert!(
        reason.ends_with("one in another; does it include itself?"),
        "{reason}"
    );
}

#[test]
fn a_look_at_a_config_comes_to_an_end() {
    for (text, reason) in [
        ("while true do end", "does not come to an end"),
        ("x = ('x'):rep(1 << 40)", "not enough memory"),
        (
            "x = '' while true do x = x .. ('x'):rep(1 << 20) end",
            "not enough memory",
        ),
        ("include '/dev/zero'", "too large for a config"),
    ] {
        let folder = Folder::new("endless", &[("c", text)]);
        let path = CString::new(folder.0.join("c").to_str().unwrap()).unwrap();
        let told = read_elsewhere(&path).err().unwrap();
        assert!(told.contains(reason), "{text}: {told}");
    }
}

#[test]
fn dollar_names_are_variables_of_the_process() {
    let home = std::env::var("PATH").unwrap();
    assert_eq!(one("var", "x = '$PATH'").unwrap()["x"], home);
    let reason = one("novar", "x = '$SKYNET_NO_SUCH_VARIABLE'").unwrap_err();
    assert!(
        reason.ends_with("os.getenv() failed: SKYNET_NO_SUCH_VARIABLE"),
        "{reason}"
    );
}

#[test]
fn a_config_sees_nothing_of_lua_but_include() {
    assert!(one("sandbox", "x = print").unwrap().is_empty());
    assert!(one("sandbox-call", "os.exit(0)").is_err());
}

#[test]
fn what_cannot_be_a_setting_is_refused_with_its_key() {
    assert_eq!(
        one("table", "x = {}").unwrap_err(),
        "Invalid config table key = x"
    );
    assert_eq!(
        one("zero", "x = 'a\\0b'").unwrap_err(),
        "Invalid config table key = x"
    );
    let reason = one("syntax", "x ==").unwrap_err();
    assert!(reason.contains("c:1: "), "{reason}");
    let reason = read(c"/nonexistent/file").unwrap_err();
    assert!(
        reason.ends_with("/nonexistent/file: No such file or directory"),
        "{reason}"
    );
}
