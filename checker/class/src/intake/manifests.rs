//! The dependencies that a hand-in's manifests name. They are compared and never used.

use std::collections::BTreeMap;

use harness::exercise::Exercise;
use serde::Deserialize;
use serde_json::Value;

/// The largest manifest that is read, in bytes.
pub(super) const LIMIT: usize = 64 << 10;

/// Dependencies by name: a version, or a table of settings.
pub(crate) type Dependencies = BTreeMap<String, Value>;

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    dependencies: Dependencies,
}

/// Reads the dependencies of a manifest. A version stands for a table that has nothing else.
pub(crate) fn dependencies(text: &str) -> Result<Dependencies, toml::de::Error> {
    let mut dependencies = toml::from_str::<Manifest>(text)?.dependencies;
    for settings in dependencies.values_mut() {
        if let Value::String(version) = settings {
            *settings = serde_json::json!({ "version": version });
        }
    }
    Ok(dependencies)
}

/// Splits the path of an exercise's manifest into the folder that holds the exercise, and the
/// exercise.
pub(super) fn place(path: &str) -> Option<(String, Exercise)> {
    let (folder, name) = path.rsplit_once('/')?;
    let (root, exercise) = folder.rsplit_once('/').unwrap_or(("", folder));
    (name == "Cargo.toml").then_some(())?;
    Some((root.to_string(), Exercise::named(exercise)?))
}

/// The differences from the workbook's manifest.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) added: Vec<String>,
    pub(crate) changed: Vec<String>,
}

impl Changes {
    pub(crate) fn between(workbook: &Dependencies, own: &Dependencies) -> Changes {
        let mut changes = Changes::default();
        for (name, settings) in own {
            match workbook.get(name) {
                None => changes.added.push(name.clone()),
                Some(known) if known != settings => changes.changed.push(name.clone()),
                Some(_) => {}
            }
        }
        changes
    }

    /// Describes the changes; `None` if there are none.
    pub(crate) fn describe(&self, exercise: Exercise) -> Option<String> {
        let parts = [("adds", &self.added), ("changes", &self.changed)];
        let parts = parts.into_iter().filter(|(_, names)| !names.is_empty());
        let words: Vec<String> =
            parts.map(|(verb, names)| format!("{verb} `{}`", names.join("`, `"))).collect();
        let what = (!words.is_empty()).then(|| words.join(" and "))?;
        Some(format!(
            "day1/{exercise}/Cargo.toml is the workbook's in this class. The one handed in is not \
             used; it {what}."
        ))
    }
}

#[cfg(test)]
mod tests {
    use harness::exercise::Exercise;

    use super::{Changes, dependencies, place};

    #[test]
    fn a_version_is_the_same_in_both_forms() {
        let read = |text| dependencies(text).expect("a manifest");
        let workbook = read("[dependencies]\na = \"1\"\nb.workspace = true");
        let same = read("[dependencies]\na = { version = \"1\" }\nb = { workspace = true }");
        assert_eq!(Changes::between(&workbook, &same), Changes::default());
        let other = read("[dependencies]\na = \"2\"\nc = \"1\"");
        let changes = Changes::between(&workbook, &other);
        let words = changes.describe(Exercise::Echo).expect("changes");
        assert!(words.ends_with("it adds `c` and changes `a`."), "{words}");
    }

    #[test]
    fn only_an_exercise_has_a_manifest() {
        assert_eq!(place("x/day1/echo/Cargo.toml"), Some(("x/day1".into(), Exercise::Echo)));
        assert_eq!(place("echo/Cargo.toml"), Some((String::new(), Exercise::Echo)));
        assert_eq!(place("x/Cargo.toml"), None);
    }
}
