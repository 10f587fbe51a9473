use retrograd_nn_derive::Module;

#[derive(Module)]
#[module(alias(head.weight = "embde.weight"))]
struct NoSuchField {
    embed: f32,
}

#[derive(Module)]
#[module(alias(head))]
struct NoTarget {
    head: f32,
}

#[derive(Module)]
#[module(alias())]
struct NoPair {
    head: f32,
}

#[derive(Module)]
#[module(alias(head.weight = "head.weight"))]
struct ItsOwn {
    head: f32,
}

#[derive(Module)]
#[module(alias("head. weight" = "head.bias"))]
struct NoName {
    head: f32,
}

#[derive(Module)]
#[module(alias(head = "embed"))]
enum OnEnum {
    A { head: f32, embed: f32 },
}

fn main() {}
