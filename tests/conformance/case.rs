//! The recorded cases: what the files of a family say, read into plain arrays. Computes nothing and knows no
//! operator. Everything wrong with a file is an error that names the file and the place in it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use retrograd::testing::{Attr, Attrs};
use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value};

/// An array as it was recorded.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Array {
    pub shape: Vec<usize>,
    pub data: Data,
}

/// The elements of an array in logical order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Data {
    Real(Vec<f64>),
    Int(Vec<i64>),
    Bool(Vec<bool>),
}

/// One call of one operator, and what PyTorch made of it.
#[derive(Debug)]
pub(crate) struct Case {
    pub id: String,
    pub op: String,
    pub attrs: Attrs,
    pub inputs: Vec<Array>,
    pub outputs: Vec<Array>,
    /// One for each output; absent where the output is not differentiable.
    pub cotangents: Vec<Option<Array>>,
    /// One for each input; absent where the input is not differentiated.
    pub grads: Vec<Option<Array>>,
    pub second: Option<Second>,
}

/// The gradient of the first gradients, each weighted by its seed.
#[derive(Debug)]
pub(crate) struct Second {
    pub seeds: Vec<Option<Array>>,
    pub grads: Vec<Option<Array>>,
}

/// A case of the families that are not about single operators: each has fields of its own, and reads them here.
#[derive(Debug)]
pub(crate) struct Run {
    pub id: String,
    pub kind: String,
    fields: Map<String, Value>,
    arrays: Arc<BTreeMap<String, Array>>,
}

/// One file of cases.
#[derive(Debug)]
pub(crate) struct Family {
    pub name: String,
    pub operators: Vec<Case>,
    pub runs: Vec<Run>,
}

/// The families every operator or kind of which must be there, in the order in which families are listed; families that
/// it does not name come after, by name.
pub(crate) const FAMILIES: [&str; 13] = [
    "unary",
    "binary",
    "reduce",
    "shape",
    "matmul",
    "linalg",
    "conv",
    "nn",
    "loss",
    "layers",
    "optimizers",
    "schedulers",
    "training",
];

/// Every family of `dir`.
pub(crate) fn load(dir: &Path) -> Result<Vec<Family>, String> {
    let entries = std::fs::read_dir(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| format!("{}: {error}", dir.display()))?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    if names.is_empty() {
        return Err(format!("{}: no family: the folder must hold FAMILY.json files", dir.display()));
    }
    let rank = |name: &String| FAMILIES.iter().position(|known| known == name).unwrap_or(FAMILIES.len());
    names.sort_by_key(|name| (rank(name), name.clone()));
    names.iter().map(|name| family(dir, name)).collect()
}

fn family(dir: &Path, name: &str) -> Result<Family, String> {
    let json = dir.join(format!("{name}.json"));
    let text = std::fs::read_to_string(&json).map_err(|error| format!("{}: {error}", json.display()))?;
    let at = |error: String| format!("{}: {error}", json.display());
    let document: Value = serde_json::from_str(&text).map_err(|error| at(error.to_string()))?;
    let cases = document.get("cases").and_then(Value::as_array);
    let cases = cases.ok_or_else(|| at("field `cases`: absent or not a list".to_owned()))?;
    let tensors = document.get("tensors").and_then(Value::as_str);
    let tensors = tensors.ok_or_else(|| at("field `tensors`: absent or not a file name".to_owned()))?;
    let arrays = Arc::new(arrays(&dir.join(tensors))?);

    let mut family = Family { name: name.to_owned(), operators: Vec::new(), runs: Vec::new() };
    for (index, case) in cases.iter().enumerate() {
        let reader = Reader::new(case, &arrays).map_err(|error| at(format!("case {index}: {error}")))?;
        let place = |error: String| at(format!("case {index} `{}`: {error}", reader.id));
        if reader.fields.contains_key("op") {
            family.operators.push(reader.operator().map_err(place)?);
        } else {
            let kind = reader.text("kind").map_err(place)?;
            let (id, fields) = (reader.id.clone(), reader.fields.clone());
            family.runs.push(Run { id, kind, fields, arrays: Arc::clone(&arrays) });
        }
    }
    Ok(family)
}

/// Every array of a safetensors file, by name.
fn arrays(path: &Path) -> Result<BTreeMap<String, Array>, String> {
    let at = |error: String| format!("{}: {error}", path.display());
    let bytes = std::fs::read(path).map_err(|error| at(error.to_string()))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| at(error.to_string()))?;
    let mut arrays = BTreeMap::new();
    for (name, view) in file.tensors() {
        let data = match view.dtype() {
            Dtype::F64 => Data::Real(elements(view.data(), f64::from_le_bytes)),
            Dtype::I64 => Data::Int(elements(view.data(), i64::from_le_bytes)),
            Dtype::U8 => Data::Bool(view.data().iter().map(|&byte| byte != 0).collect()),
            other => {
                return Err(at(format!("tensor `{name}`: dtype {other:?}; the schema has F64, I64 and U8")));
            }
        };
        arrays.insert(name, Array { shape: view.shape().to_vec(), data });
    }
    Ok(arrays)
}

fn elements<T>(bytes: &[u8], read: impl Fn([u8; 8]) -> T) -> Vec<T> {
    bytes.as_chunks::<8>().0.iter().map(|&chunk| read(chunk)).collect()
}

/// The fields of one case.
struct Reader<'a> {
    id: String,
    fields: &'a Map<String, Value>,
    arrays: &'a BTreeMap<String, Array>,
}

impl<'a> Reader<'a> {
    fn new(case: &'a Value, arrays: &'a BTreeMap<String, Array>) -> Result<Self, String> {
        let fields = case.as_object().ok_or("not an object")?;
        let mut reader = Self { id: String::new(), fields, arrays };
        reader.id = reader.text("id")?;
        Ok(reader)
    }

    fn operator(&self) -> Result<Case, String> {
        let inputs = self.required("inputs")?;
        let outputs = self.required("outputs")?;
        let mut case = Case {
            id: self.id.clone(),
            op: self.text("op")?,
            attrs: self.attrs()?,
            cotangents: self.optional("cotangents", outputs.len())?,
            grads: self.optional("grads", inputs.len())?,
            second: None,
            inputs,
            outputs,
        };
        if self.list("second_grads")?.is_some() {
            let count = case.inputs.len();
            let (seeds, grads) =
                (self.optional("second_seeds", count)?, self.optional("second_grads", count)?);
            case.second = Some(Second { seeds, grads });
        }
        Ok(case)
    }

    fn text(&self, field: &str) -> Result<String, String> {
        let value = self.fields.get(field).and_then(Value::as_str);
        value.map(str::to_owned).ok_or_else(|| format!("field `{field}`: absent or not a string"))
    }

    fn attrs(&self) -> Result<Attrs, String> {
        match self.fields.get("attrs") {
            Some(Value::Object(pairs)) => {
                Ok(Attrs::from_pairs(pairs.iter().map(|(name, value)| (name.clone(), attr(value)))))
            }
            _ => Err("field `attrs`: absent or not an object".to_owned()),
        }
    }

    /// The list `field`, or nothing where it is absent or null.
    fn list(&self, field: &str) -> Result<Option<&'a Vec<Value>>, String> {
        match self.fields.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(values)) => Ok(Some(values)),
            Some(_) => Err(format!("field `{field}`: not a list")),
        }
    }

    fn array(&self, field: &str, value: &Value) -> Result<Array, String> {
        let name =
            value.as_str().ok_or_else(|| format!("field `{field}`: {value} is not a tensor's name"))?;
        let array = self.arrays.get(name);
        array.cloned().ok_or_else(|| format!("field `{field}`: tensor `{name}` is not in the file"))
    }

    /// The arrays that `field` names, all of them.
    fn required(&self, field: &str) -> Result<Vec<Array>, String> {
        let values = self.list(field)?.ok_or_else(|| format!("field `{field}`: absent"))?;
        values.iter().map(|value| self.array(field, value)).collect()
    }

    /// The `count` arrays that `field` names, each of which may be null; all are where the field is absent.
    fn optional(&self, field: &str, count: usize) -> Result<Vec<Option<Array>>, String> {
        let Some(values) = self.list(field)? else { return Ok(vec![None; count]) };
        if values.len() != count {
            return Err(format!("field `{field}`: {} names; {count} were expected", values.len()));
        }
        let read = |value: &Value| {
            if value.is_null() { Ok(None) } else { self.array(field, value).map(Some) }
        };
        values.iter().map(read).collect()
    }
}

impl Run {
    fn reader(&self) -> Reader<'_> {
        Reader { id: self.id.clone(), fields: &self.fields, arrays: &self.arrays }
    }

    pub(crate) fn attrs(&self) -> Result<Attrs, String> {
        self.reader().attrs()
    }

    /// The value of `field` as it stands in the file.
    pub(crate) fn field(&self, field: &str) -> Result<&Value, String> {
        self.fields.get(field).ok_or_else(|| format!("field `{field}`: absent"))
    }

    /// The arrays that `field` names, all of them.
    pub(crate) fn required(&self, field: &str) -> Result<Vec<Array>, String> {
        self.reader().required(field)
    }

    /// The arrays that `field` names, in lists of one for each step.
    pub(crate) fn steps(&self, field: &str) -> Result<Vec<Vec<Array>>, String> {
        let reader = self.reader();
        let steps = reader.list(field)?.ok_or_else(|| format!("field `{field}`: absent"))?;
        let read = |step: &Value| {
            let names = step.as_array().ok_or_else(|| format!("field `{field}`: a step is not a list"))?;
            names.iter().map(|name| reader.array(field, name)).collect()
        };
        steps.iter().map(read).collect()
    }

    /// The numbers of the list `field`.
    pub(crate) fn numbers(&self, field: &str) -> Result<Vec<f64>, String> {
        let values = self.reader().list(field)?.ok_or_else(|| format!("field `{field}`: absent"))?;
        let read = |value: &Value| value.as_f64().ok_or_else(|| format!("field `{field}`: not numbers"));
        values.iter().map(read).collect()
    }

    /// The arrays that `field` names, each of which may be null.
    pub(crate) fn optional(&self, field: &str, count: usize) -> Result<Vec<Option<Array>>, String> {
        self.reader().optional(field, count)
    }

    /// The arrays that `field` gives under names of its own: parameters, buffers.
    pub(crate) fn named(&self, field: &str) -> Result<BTreeMap<String, Array>, String> {
        let pairs =
            self.field(field)?.as_object().ok_or_else(|| format!("field `{field}`: not an object"))?;
        let read = |(name, value): (&String, &Value)| Ok((name.clone(), self.reader().array(field, value)?));
        pairs.iter().map(read).collect()
    }
}

fn attr(value: &Value) -> Attr {
    match value {
        Value::Null | Value::Object(_) => Attr::Null,
        Value::Bool(switch) => Attr::Bool(*switch),
        Value::Number(number) => number.as_f64().map_or(Attr::Null, Attr::Num),
        Value::String(word) => Attr::Str(word.clone()),
        Value::Array(values) => Attr::List(values.iter().map(attr).collect()),
    }
}
