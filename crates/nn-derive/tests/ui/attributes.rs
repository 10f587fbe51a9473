use retrograd_nn_derive::Module;

#[derive(Module)]
struct MisspelledSkip {
    #[module(skp)]
    x: f32,
}

#[derive(Module)]
#[module(skip)]
struct SkipOnType {
    x: f32,
}

#[derive(Module)]
enum SkipOnVariant {
    #[module(skip)]
    A(f32),
}

#[derive(Module)]
union Union {
    x: f32,
    y: u32,
}

fn main() {}
