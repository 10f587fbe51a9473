//! The header of an array: `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }` behind a magic string, a
//! version and a length.

use crate::files::element::{Order, invalid};
use retrograd_tensor::DType;
use std::io::{self, Read};

const MAGIC: &[u8] = b"\x93NUMPY";

/// The longest dictionary that is read; NumPy's own limit.
const LONGEST: usize = 10_000;

/// What the bytes in front of the elements are filled up to a multiple of.
const ALIGN: usize = 64;

#[derive(Debug, PartialEq)]
pub(super) struct Header {
    pub(super) dtype: DType,
    pub(super) order: Order,
    /// Whether the first axis runs fastest.
    pub(super) columns_first: bool,
    pub(super) shape: Vec<usize>,
}

impl Header {
    /// Reads the header, and says how many bytes it takes.
    pub(super) fn read(source: &mut dyn Read) -> io::Result<(Self, u64)> {
        let mut start = [0; MAGIC.len() + 2];
        source.read_exact(&mut start)?;
        let (magic, version) = start.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(invalid("is none of NumPy's: it does not begin with \\x93NUMPY"));
        }
        let mut length = [0; 4];
        let digits = match version[0] {
            1 => 2,
            2 | 3 => 4,
            other => return Err(invalid(&format!("is of version {other}; 1 to 3 are known"))),
        };
        source.read_exact(&mut length[..digits])?;
        let length = u32::from_le_bytes(length) as usize;
        if length > LONGEST {
            return Err(invalid(&format!("has a header of {length} bytes; {LONGEST} are the most")));
        }
        let mut text = vec![0; length];
        source.read_exact(&mut text)?;
        let text = str::from_utf8(&text).map_err(|_| invalid("has a header that is no text"))?;
        let header = parse(text).map_err(|problem| invalid(&format!("has a header that {problem}")))?;
        Ok((header, (start.len() + digits + length) as u64))
    }
}

/// The header of an array in row-major order, little endian.
pub(super) fn write(dtype: DType, shape: &[usize]) -> Result<Vec<u8>, String> {
    let kind = match dtype {
        DType::Bool => "|b1",
        DType::U8 => "|u1",
        DType::I32 => "<i4",
        DType::I64 => "<i8",
        DType::F16 => "<f2",
        DType::F32 => "<f4",
        DType::F64 => "<f8",
        DType::BF16 => return Err("NumPy has no bf16; cast to F32".to_owned()),
    };
    let sizes: String = shape.iter().map(|size| format!("{size}, ")).collect();
    let sizes = if shape.len() == 1 { sizes.trim_end() } else { sizes.trim_end_matches(", ") };
    let mut text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({sizes}), }}");
    // The magic string, two bytes of version, two of length, and the new line.
    let around = MAGIC.len() + 5;
    let room = (around + text.len()).next_multiple_of(ALIGN) - around;
    text = format!("{text:room$}\n");
    let length = u16::try_from(text.len()).map_err(|_| "has too many axes for a header".to_owned())?;
    Ok([MAGIC, &[1, 0], &length.to_le_bytes(), text.as_bytes()].concat())
}

fn parse(text: &str) -> Result<Header, String> {
    let (mut kind, mut columns_first, mut shape) = (None, None, None);
    let mut text = Text(text);
    text.expect("{")?;
    while !text.take("}") {
        let key = text.string()?;
        text.expect(":")?;
        let twice = match key {
            "descr" => kind.replace(text.string().map_err(|_| "has no simple type".to_owned())?).is_some(),
            "fortran_order" => columns_first.replace(text.truth()?).is_some(),
            "shape" => shape.replace(text.sizes()?).is_some(),
            _ => return Err(format!("has a key `{key}`")),
        };
        if twice {
            return Err(format!("has `{key}` twice"));
        }
        if !text.take(",") {
            text.expect("}")?;
            break;
        }
    }
    if !text.0.trim().is_empty() {
        return Err("goes on after its end".to_owned());
    }
    let (Some(kind), Some(columns_first), Some(shape)) = (kind, columns_first, shape) else {
        return Err("lacks one of `descr`, `fortran_order` and `shape`".to_owned());
    };
    let (dtype, order) =
        element_type(kind).ok_or_else(|| format!("has the type `{kind}`, which tensors do not have"))?;
    Ok(Header { dtype, order, columns_first, shape })
}

fn element_type(kind: &str) -> Option<(DType, Order)> {
    let (order, kind) = kind.split_at_checked(1)?;
    let dtype = match kind {
        "b1" => DType::Bool,
        "u1" => DType::U8,
        "i4" => DType::I32,
        "i8" => DType::I64,
        "f2" => DType::F16,
        "f4" => DType::F32,
        "f8" => DType::F64,
        _ => return None,
    };
    match order {
        "<" => Some((dtype, Order::Little)),
        ">" => Some((dtype, Order::Big)),
        "|" if dtype.size() == 1 => Some((dtype, Order::Little)),
        _ => None,
    }
}

/// The rest of a header.
struct Text<'t>(&'t str);

impl<'t> Text<'t> {
    /// Whether `word` comes next; then it is behind.
    fn take(&mut self, word: &str) -> bool {
        let rest = self.0.trim_start().strip_prefix(word);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn expect(&mut self, word: &str) -> Result<(), String> {
        let near: String = self.0.trim_start().chars().take(20).collect();
        if self.take(word) { Ok(()) } else { Err(format!("has no `{word}` before `{near}`")) }
    }

    fn string(&mut self) -> Result<&'t str, String> {
        let quote = if self.take("\"") { '"' } else { '\'' };
        if quote == '\'' {
            self.expect("'")?;
        }
        let (string, rest) = self.0.split_once(quote).ok_or("ends within a string")?;
        self.0 = rest;
        Ok(string)
    }

    fn truth(&mut self) -> Result<bool, String> {
        if self.take("True") {
            return Ok(true);
        }
        self.expect("False").map(|()| false)
    }

    /// Whole numbers in parentheses; one alone has a comma behind it.
    fn sizes(&mut self) -> Result<Vec<usize>, String> {
        self.expect("(")?;
        let (sizes, rest) = self.0.split_once(')').ok_or("ends within the shape")?;
        self.0 = rest;
        let sizes = sizes.trim();
        if sizes.is_empty() {
            return Ok(Vec::new());
        }
        // Python 2 wrote an `L` behind long numbers.
        let size = |size: &str| size.trim().trim_end_matches('L').parse::<usize>();
        let parsed: Result<Vec<usize>, _> =
            sizes.strip_suffix(',').unwrap_or(sizes).split(',').map(size).collect();
        parsed.map_err(|e| format!("has the shape ({sizes}): {e}"))
    }
}
