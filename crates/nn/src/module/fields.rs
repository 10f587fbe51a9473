//! [`Module`] for the types that fields have: slots, plain values, and the containers of the standard library.
//!
//! Containers with positions add them to the path (`0`, `1`); an option, a box and a reference to one value add
//! nothing. Plain values have no slots.

use super::name::at;
use super::{Mode, Module, Slot, SlotMut, join};
use crate::param::{Buffer, Param};
use retrograd_tensor::DType;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::marker::PhantomData;

impl Module for Param {
    fn visit<'a>(&'a self, path: &str, f: &mut dyn FnMut(&str, Slot<'a>)) {
        f(path, Slot::Param(self));
    }

    fn visit_mut<'a>(&'a mut self, path: &str, f: &mut dyn FnMut(&str, SlotMut<'a>)) {
        f(path, SlotMut::Param(self));
    }
}

impl Module for Buffer {
    fn visit<'a>(&'a self, path: &str, f: &mut dyn FnMut(&str, Slot<'a>)) {
        f(path, Slot::Buffer(self));
    }

    fn visit_mut<'a>(&'a mut self, path: &str, f: &mut dyn FnMut(&str, SlotMut<'a>)) {
        f(path, SlotMut::Buffer(self));
    }
}

impl Module for Mode {
    fn visit<'a>(&'a self, _: &str, _: &mut dyn FnMut(&str, Slot<'a>)) {}

    fn visit_mut<'a>(&'a mut self, path: &str, f: &mut dyn FnMut(&str, SlotMut<'a>)) {
        f(path, SlotMut::Mode(self));
    }
}

macro_rules! plain {
    ($($type:ty),*) => {$(
        impl Module for $type {
            fn visit<'a>(&'a self, _: &str, _: &mut dyn FnMut(&str, Slot<'a>)) {}
            fn visit_mut<'a>(&'a mut self, _: &str, _: &mut dyn FnMut(&str, SlotMut<'a>)) {}
        }
    )*};
}

plain!((), bool, char, u8, u16, u32, u64, usize, i8, i16, i32, i64, isize, f32, f64);
plain!(String, &'static str, Cow<'static, str>, std::ops::Range<usize>, std::time::Duration, DType);

impl<T: ?Sized> Module for PhantomData<T> {
    fn visit<'a>(&'a self, _: &str, _: &mut dyn FnMut(&str, Slot<'a>)) {}

    fn visit_mut<'a>(&'a mut self, _: &str, _: &mut dyn FnMut(&str, SlotMut<'a>)) {}
}

impl<M: Module + ?Sized> Module for Box<M> {
    fn visit<'a>(&'a self, path: &str, f: &mut dyn FnMut(&str, Slot<'a>)) {
        (**self).visit(path, f);
    }

    fn visit_mut<'a>(&'a mut self, path: &str, f: &mut dyn FnMut(&str, SlotMut<'a>)) {
        (**self).visit_mut(path, f);
    }

    fn aliases(&self, path: &str, f: &mut dyn FnMut(&str, &str)) {
        (**self).aliases(path, f);
    }
}

impl<M: Module> Module for Option<M> {
    fn visit<'a>(&'a self, path: &str, f: &mut dyn FnMut(&str, Slot<'a>)) {
        if let Some(module) = self {
            module.visit(path, f);
        }
    }

    fn visit_mut<'a>(&'a mut self, path: &str, f: &mut dyn FnMut(&str, SlotMut<'a>)) {
        if let Some(module) = self {
            module.visit_mut(path, f);
        }
    }

    fn aliases(&self, path: &str, f: &mut dyn FnMut(&str, &str)) {
        if let Some(module) = self {
            module.aliases(path, f);
        }
    }
}

impl<M: Module> Module for [M] {
    fn visit<'a>(&'a self, path: &str, f: &mut dyn FnMut(&str, Slot<'a>)) {
        for (position, module) in self.iter().enumerate() {
            module.visit(&at(path, position), f);
        }
    }

    fn visit_mut<'a>(&'a mut self, path: &str, f: &mut dyn FnMut(&str, SlotMut<'a>)) {
        for (position, module) in self.iter_mut().enumerate() {
            module.visit_mut(&at(path, position), f);
        }
    }

    fn aliases(&self, path: &str, f: &mut dyn FnMut(&str, &str)) {
        for (position, module) in self.iter().enumerate() {
            module.aliases(&at(path, position), f);
        }
    }
}

/// Containers that are walked as the slice that they hold.
macro_rules! as_slice {
    ($([$($generics:tt)*] $type:ty;)*) => {$(
        impl<M: Module, $($generics)*> Module for $type {
            fn visit<'a>(&'a self, path: &str, f: &mut dyn FnMut(&str, Slot<'a>)) {
                self[..].visit(path, f);
            }
            fn visit_mut<'a>(&'a mut self, path: &str, f: &mut dyn FnMut(&str, SlotMut<'a>)) {
                self[..].visit_mut(path, f);
            }
            fn aliases(&self, path: &str, f: &mut dyn FnMut(&str, &str)) {
                self[..].aliases(path, f);
            }
        }
    )*};
}

as_slice! {
    [] Vec<M>;
    [const N: usize] [M; N];
}

/// Modules by name; a name may not hold a dot.
impl<M: Module> Module for BTreeMap<String, M> {
    fn visit<'a>(&'a self, path: &str, f: &mut dyn FnMut(&str, Slot<'a>)) {
        for (name, module) in self {
            module.visit(&join(path, name), f);
        }
    }

    fn visit_mut<'a>(&'a mut self, path: &str, f: &mut dyn FnMut(&str, SlotMut<'a>)) {
        for (name, module) in self {
            module.visit_mut(&join(path, name), f);
        }
    }

    fn aliases(&self, path: &str, f: &mut dyn FnMut(&str, &str)) {
        for (name, module) in self {
            module.aliases(&join(path, name), f);
        }
    }
}

macro_rules! tuple {
    ($($name:ident $position:tt),*) => {
        impl<$($name: Module),*> Module for ($($name,)*) {
            fn visit<'a>(&'a self, path: &str, f: &mut dyn FnMut(&str, Slot<'a>)) {
                $(self.$position.visit(&join(path, stringify!($position)), f);)*
            }
            fn visit_mut<'a>(&'a mut self, path: &str, f: &mut dyn FnMut(&str, SlotMut<'a>)) {
                $(self.$position.visit_mut(&join(path, stringify!($position)), f);)*
            }
            fn aliases(&self, path: &str, f: &mut dyn FnMut(&str, &str)) {
                $(self.$position.aliases(&join(path, stringify!($position)), f);)*
            }
        }
    };
}

tuple!(A 0);
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
