//! Tables that are too large to be looked at, or to be told.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::stopped_at;
use crate::tools::editor::Editor;

/// What an expression gives: the number by which it can be opened.
fn open(editor: &mut Editor, frame: u64, expression: &str) -> u64 {
    let arguments = json!({ "expression": expression, "frameId": frame, "context": "watch" });
    let body = editor.get("evaluate", arguments);
    body["variablesReference"].as_u64().unwrap()
}

fn variables(editor: &mut Editor, reference: u64, more: Value) -> Vec<Value> {
    let mut arguments = more;
    arguments["variablesReference"] = reference.into();
    let body = editor.get("variables", arguments);
    body["variables"].as_array().unwrap().clone()
}

fn named<'a>(list: &'a [Value], name: &str) -> &'a Value {
    let found = list.iter().find(|one| one["name"] == name);
    found.unwrap_or_else(|| panic!("no {name}"))
}

/// To look whether a table has fields costs as much as it has had.
#[test]
fn tables_that_were_emptied_are_looked_at_for_a_while_and_not_longer() {
    let (mut debugged, mut editor, thread) = stopped_at("debug_emptied", "tables", "tables");
    let top = editor.top(thread);
    let same = open(&mut editor, top, "same");
    let list = variables(&mut editor, same, json!({}));
    assert_eq!(list[0]["value"], "{}");
    assert_eq!(list[0]["variablesReference"], 0);
    let last = list[99].clone();
    assert_eq!(last["value"], "{...}", "it may have fields");
    // Another request finds out.
    let reference = last["variablesReference"].as_u64().unwrap();
    assert!(variables(&mut editor, reference, json!({})).is_empty());
    assert_eq!(editor.evaluate(top, "emptied").as_deref(), Ok("{}"));
    editor.go("continue", thread);
    debugged.node.wait("tables: 100");
}

#[test]
fn an_answer_has_a_bound_and_what_was_cut_can_be_had_by_itself() {
    let (mut debugged, mut editor, thread) = stopped_at("debug_long", "tables", "tables");
    let top = editor.top(thread);
    let long = open(&mut editor, top, "long");
    let list = variables(&mut editor, long, json!({}));
    assert_eq!(list.len(), 1900, "all are listed");
    let size = Value::from(list.clone()).to_string().len();
    assert!(size < 1 << 20, "{size} bytes");
    let (first, last) = (&list[0], &list[1899]);
    assert_eq!(first["value"].as_str().unwrap().len(), 902);
    let cut = last["value"].as_str().unwrap();
    assert!(cut.ends_with("v\"... (900 bytes)"), "{cut}");

    let inner = open(&mut editor, top, "inner");
    let list = variables(&mut editor, inner, json!({}));
    let text = named(&list, "text");
    let cut = text["value"].as_str().unwrap();
    assert!(cut.ends_with("t\"... (200003 bytes)"), "{cut}");
    let arguments =
        json!({ "expression": text["evaluateName"], "frameId": top, "context": "clipboard" });
    let whole = editor.get("evaluate", arguments);
    let whole = whole["result"].as_str().unwrap();
    assert_eq!(whole.len(), 200_005);
    assert!(whole.ends_with("tend\""));
    editor.go("continue", thread);
    debugged.node.wait("tables: 100");
}

#[test]
fn what_is_inside_of_a_table_has_an_expression() {
    let (mut debugged, mut editor, thread) = stopped_at("debug_names", "tables", "tables");
    let top = editor.top(thread);
    let (locals, _) = editor.scope(top, "Locals");
    let list = variables(&mut editor, locals, json!({}));
    let mut reference = named(&list, "inner")["variablesReference"].clone();
    let mut expression = Value::Null;
    for name in ["a b", "list", "[1]", "[1]"] {
        let list = variables(&mut editor, reference.as_u64().unwrap(), json!({}));
        let one = named(&list, name);
        (reference, expression) = (
            one["variablesReference"].clone(),
            one["evaluateName"].clone(),
        );
    }
    assert_eq!(expression, r#"inner["a b"].list[1][1]"#);
    let deep = editor.evaluate(top, expression.as_str().unwrap());
    assert_eq!(deep.as_deref(), Ok("\"deep\""));
    editor.go("continue", thread);
    debugged.node.wait("tables: 100");
}

#[test]
fn a_list_that_is_shown_in_part_says_so() {
    let (mut debugged, mut editor, thread) = stopped_at("debug_cut", "lent", "lend");
    let top = editor.top(thread);
    let many = "(function() local list = {} for i = 1, 46 do list[i] = i end return list end)()";
    for (text, end) in [
        (many.to_owned(), ", ...}"),
        (
            format!("{{ '{}', 2 }}", "x".repeat(200)),
            "\"... (200 bytes), 2}",
        ),
        (
            format!("{{ {} }}", "'twelve letters', ".repeat(12)),
            "\"twelve letters\", ...}",
        ),
        ("{ 1, 2, 3 }".into(), "{1, 2, 3}"),
    ] {
        let shown = editor.evaluate(top, &text).unwrap();
        assert!(shown.ends_with(end), "{shown}");
    }
    editor.go("continue", thread);
    debugged.node.wait("lend: 1");
}

#[test]
fn a_table_has_in_each_frame_the_expressions_of_that_frame() {
    let (mut debugged, mut editor, thread) = stopped_at("debug_lent", "lent", "lend");
    let frames = editor.frames(thread);
    for (place, name) in ["lent", "owned"].into_iter().enumerate() {
        let frame = frames[place]["id"].as_u64().unwrap();
        let (locals, _) = editor.scope(frame, "Locals");
        let list = variables(&mut editor, locals, json!({}));
        let table = named(&list, name)["variablesReference"].as_u64().unwrap();
        let list = variables(&mut editor, table, json!({}));
        let expression = named(&list, "inner")["evaluateName"].as_str().unwrap();
        assert_eq!(expression, format!("{name}.inner"));
        let value = editor.evaluate(frame, expression);
        assert_eq!(value.as_deref(), Ok("{\"deep\"}"));
    }
    editor.go("continue", thread);
    debugged.node.wait("lend: 1");
}

#[test]
fn what_looks_alike_has_names_of_its_own() {
    let (mut debugged, mut editor, thread) = stopped_at("debug_alike", "names", "names");
    let top = editor.top(thread);
    let set = |editor: &mut Editor, reference: u64, name: &str| {
        let arguments = json!({ "variablesReference": reference, "name": name, "value": "'new'" });
        editor.ask("setVariable", arguments)
    };
    let (locals, _) = editor.scope(top, "Locals");
    set(&mut editor, locals, "i").unwrap();
    let list = variables(&mut editor, locals, json!({}));
    let hidden = named(&list, "i (2)");
    assert_eq!(hidden["value"], "1");
    assert_eq!(hidden["evaluateName"], Value::Null);
    assert_eq!(named(&list, "i")["value"], "\"new\"");
    assert_eq!(editor.evaluate(top, "i").as_deref(), Ok("\"new\""));

    // What is seen elsewhere has no expression here.
    assert_eq!(named(&list, "hidden")["evaluateName"], "hidden");
    let (upvalues, _) = editor.scope(top, "Upvalues");
    let list = variables(&mut editor, upvalues, json!({}));
    assert_eq!(named(&list, "hidden")["evaluateName"], Value::Null);
    let function = open(&mut editor, top, "require 'skynet'.start");
    let list = variables(&mut editor, function, json!({}));
    assert!(!list.is_empty());
    for one in list {
        assert_eq!(one["evaluateName"], Value::Null, "{one}");
    }

    let alike = open(&mut editor, top, "alike");
    let list = variables(&mut editor, alike, json!({}));
    assert_eq!(list.len(), 7);
    assert_eq!(named(&list, r#"["\xff"]"#)["evaluateName"], Value::Null);
    set(&mut editor, alike, "[true]").unwrap();
    set(&mut editor, alike, r#"["[1]"]"#).unwrap();
    let values = "alike[1], alike['[1]'], alike[true], alike['[true]']";
    assert_eq!(
        editor.evaluate(top, values).as_deref(),
        Ok(r#""first", "new", "new", "no""#)
    );
    for name in ["[{}]", "[{}] (2)"] {
        named(&list, name);
        assert!(set(&mut editor, alike, name).is_err(), "{name}");
    }
    editor.go("continue", thread);
    debugged.node.wait("names: new");
}

#[test]
fn lists_and_fields_come_in_pages() {
    let (mut debugged, mut editor, thread) = stopped_at("debug_pages", "tables", "tables");
    let top = editor.top(thread);
    let many = open(&mut editor, top, "many");
    let all = variables(&mut editor, many, json!({}));
    assert_eq!(all.len(), 2001);
    assert_eq!(named(&all, "...")["value"], "there are more fields");
    let mut names = BTreeSet::new();
    for start in (0..6000).step_by(1000) {
        let page = json!({ "filter": "named", "start": start, "count": 1000 });
        for one in variables(&mut editor, many, page) {
            assert!(names.insert(one["name"].as_str().unwrap().to_owned()));
        }
    }
    assert_eq!(names.len(), 5000);
    let page = json!({ "start": 0, "count": 10 });
    assert_eq!(variables(&mut editor, many, page).len(), 10);
    // Also one that is not among the first.
    let set = json!({ "variablesReference": many, "name": "4999th", "value": "-1" });
    assert_eq!(editor.get("setVariable", set)["value"], "-1");
    assert_eq!(editor.evaluate(top, "many['4999th']").as_deref(), Ok("-1"));

    let list = open(&mut editor, top, "list");
    let all = variables(&mut editor, list, json!({}));
    assert_eq!(
        named(&all, "...")["value"],
        "there are more elements, up to [5000]"
    );
    let page = json!({ "filter": "indexed", "start": 4990, "count": 100 });
    let page = variables(&mut editor, list, page);
    assert_eq!(page.len(), 10);
    assert_eq!(page[9]["name"], "[5000]");
    editor.go("continue", thread);
    debugged.node.wait("tables: 100");
}
