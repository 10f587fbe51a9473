//! What went wrong, said once: [`Error`], and the two ways it reaches a user.
//!
//! Misuse (shapes, axes, dtypes) panics at the user's own line through [`raise`]; whatever depends on files,
//! numbers or the outside is returned as a `Result`. [`attempt`] turns misuse inside a closure into a
//! `Result` without printing anything. Messages read
//! `op: what is wrong: what was given; what would be right`.
//!
//! This room formats and carries errors. It decides nothing: checks belong to `infer` and to `shape`.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};

/// The family an [`Error`] belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Shapes that do not fit each other or the operation.
    Shape,
    /// An element type that the operation does not take.
    Dtype,
    /// An axis that is out of range or listed twice.
    Axis,
    /// An index or label that is out of range.
    Index,
    /// An argument whose value is not allowed.
    Value,
    /// A gradient that is missing, cut or spent.
    Gradient,
    /// A computation that failed on these numbers, such as a singular matrix.
    Numeric,
    /// More memory than the system gives.
    Memory,
    /// The outside world: files and streams.
    Io,
    /// Data that do not follow their format.
    Format,
}

/// What went wrong, in which operation, and where in the user's source when that is known.
#[derive(Clone)]
#[non_exhaustive]
pub struct Error {
    op: Cow<'static, str>,
    kind: ErrorKind,
    detail: String,
    location: Option<&'static Location<'static>>,
}

impl Error {
    /// An error of `op`; `detail` reads `what is wrong: what was given; what would be right`.
    pub fn new(op: impl Into<Cow<'static, str>>, kind: ErrorKind, detail: impl Into<String>) -> Error {
        Error { op: op.into(), kind, detail: detail.into(), location: None }
    }

    /// The name of the operation that refused.
    pub fn op(&self) -> &str {
        &self.op
    }

    /// The family of the error.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The message without the operation's name.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The line of the call that was refused, where it is known.
    pub fn location(&self) -> Option<&'static Location<'static>> {
        self.location
    }

    /// The same error, of the operation that called the one that refused.
    #[must_use]
    pub(crate) fn of(mut self, op: &'static str) -> Error {
        self.op = op.into();
        self
    }

    /// The same error, placed at this line.
    #[must_use]
    pub(crate) fn at(mut self, place: &'static Location<'static>) -> Error {
        self.location = Some(place);
        self
    }

    /// The same error, placed at the caller's line unless it has a place already.
    #[track_caller]
    #[must_use]
    pub fn here(mut self) -> Error {
        self.location.get_or_insert(Location::caller());
        self
    }
}

/// Prints `op: detail`; the alternate form `{:#}` adds the place.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.op, self.detail)?;
        match self.location {
            Some(place) if f.alternate() => write!(f, " (at {place})"),
            _ => Ok(()),
        }
    }
}

/// One readable line, since this is what `unwrap` and a failing `main` print.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} error: {self:#}", self.kind)
    }
}

impl std::error::Error for Error {}

thread_local! {
    /// How many [`attempt`] scopes are open on this thread.
    static ATTEMPTS: Cell<usize> = const { Cell::new(0) };
}

/// Counts a scope for as long as it lives, so that every exit from it is counted, unwinding too.
struct Scope;

impl Scope {
    fn open() -> Scope {
        ATTEMPTS.set(ATTEMPTS.get() + 1);
        Scope
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        ATTEMPTS.set(ATTEMPTS.get() - 1);
    }
}

/// Refuses a call: panics at the caller's line, or unwinds silently to the [`attempt`] around it.
///
/// # Panics
/// Always; that is its purpose.
#[track_caller]
#[cold]
pub fn raise(e: Error) -> ! {
    if ATTEMPTS.get() > 0 {
        resume_unwind(Box::new(e.here()))
    }
    // An error that comes from elsewhere names its own line; the panic names this one.
    panic!("{e:#}")
}

/// Runs `f` and returns a refused call as an [`Error`] instead of panicking.
///
/// Nothing is printed for such an error. Other panics go on as they are. The scope belongs to this thread:
/// a call refused on another thread, started inside `f`, panics there as usual.
///
/// # Errors
/// The first refused call inside `f`, with its line.
pub fn attempt<T>(f: impl FnOnce() -> T) -> Result<T, Error> {
    let outcome = {
        let _scope = Scope::open();
        // Tensors are immutable and every guard of this library restores on unwinding, so what `f` leaves
        // behind is never half-changed on our side.
        catch_unwind(AssertUnwindSafe(f))
    };
    outcome.map_err(|payload| match payload.downcast::<Error>() {
        Ok(e) => *e,
        Err(other) => resume_unwind(other),
    })
}

/// Turns a `Result` into its value, or refuses the call at the caller's line.
pub trait OrRaise<T> {
    /// The value, or [`raise`] at the caller's line.
    #[track_caller]
    fn or_raise(self) -> T;
}

impl<T> OrRaise<T> for Result<T, Error> {
    #[inline]
    #[track_caller]
    fn or_raise(self) -> T {
        match self {
            Ok(value) => value,
            Err(e) => raise(e),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refuse() {
        Err::<(), Error>(Error::new("add", ErrorKind::Shape, "no")).or_raise();
    }

    #[test]
    fn attempt_returns_the_error_with_the_line_of_the_call() {
        let line = line!() + 1;
        let e = attempt(|| refuse()).unwrap_err();
        assert_eq!((e.op(), e.kind(), e.detail()), ("add", ErrorKind::Shape, "no"));
        let place = e.location().unwrap();
        assert_eq!((place.file(), place.line()), (file!(), line));
        assert_eq!(e.to_string(), "add: no");
        assert_eq!(format!("{e:#}"), format!("add: no (at {place})"));
        assert_eq!(format!("{e:?}"), format!("Shape error: add: no (at {place})"));
    }

    #[test]
    fn scopes_nest_and_close_on_every_exit() {
        assert_eq!(attempt(|| 3).unwrap(), 3);
        assert_eq!(ATTEMPTS.get(), 0);
        let inner = attempt(|| {
            let inner = attempt(refuse);
            assert_eq!(ATTEMPTS.get(), 1);
            inner
        });
        assert!(inner.unwrap().is_err());
        let other = catch_unwind(|| attempt(|| resume_unwind(Box::new(7_u8))));
        assert_eq!(*other.unwrap_err().downcast::<u8>().unwrap(), 7);
        assert_eq!(ATTEMPTS.get(), 0);
    }

    #[test]
    fn outside_a_scope_it_panics_with_the_message() {
        let payload = catch_unwind(refuse).unwrap_err();
        assert_eq!(payload.downcast_ref::<String>().unwrap(), "add: no");
    }

    #[test]
    fn a_raised_error_keeps_the_place_it_came_with() {
        let e = attempt(refuse).unwrap_err();
        let place = e.location();
        assert_eq!(attempt(|| raise(e)).map(|()| 0).unwrap_err().location(), place);
    }

    #[test]
    fn errors_cross_threads() {
        fn check<T: std::error::Error + Clone + Send + Sync + 'static>() {}
        check::<Error>();
    }
}
