//! What the reference cases of layers do not show: options, masks, statistics over many calls, names, modes.

use retrograd_autograd::{Differentiate, gradcheck, remat};
use retrograd_nn::{
    BatchNorm2d, Conv1d, Conv2d, ConvTranspose2d, Embedding, InstanceNorm2d, Linear, Masks, MaxPool1d,
    MaxPool2d, MaxUnpool1d, MaxUnpool2d, MaxUnpool3d, Module, MultiheadAttention, MultiheadOptions,
    PairwiseDistance, Residual, RotaryPositions, Sequential, SoftShrink, SpectralNorm, Transformer,
    TransformerEncoderLayer, TransformerMasks, TransformerOptions, WeightNorm,
};
use retrograd_tensor::{Bool, Conv, F64, PadMode, Rng, Tensor, attempt};

#[track_caller]
fn close(got: &Tensor, want: &Tensor) {
    assert_eq!(got.shape(), want.shape());
    let far = (got - want).abs().amax(()).item();
    assert!(far < 1e-5, "off by {far}");
}

fn names(module: &dyn Module) -> Vec<String> {
    module.state_dict().into_keys().collect()
}

#[test]
fn padding_modes_pad_before_the_windows() {
    let x = Tensor::randn([2, 3, 6, 5], &mut Rng::new(1));
    for mode in [PadMode::Reflect, PadMode::Replicate, PadMode::Circular, PadMode::Zeros] {
        let conv = Conv2d::new(3, 4, [3, 2], &mut Rng::new(0)).padding([2, 1]).padding_mode(mode);
        let padded = x.pad(&[(0, 0), (0, 0), (2, 2), (1, 1)], mode);
        let want = padded.conv2d(&conv.weight, conv.bias.as_deref(), Conv::new());
        close(&conv.forward(&x), &want);
        close(&conv.forward(&x.select(0, 1)), &want.select(0, 1));
        // Of an odd number the larger half comes last.
        let same = conv.padding("same");
        let padded = x.pad(&[(0, 0), (0, 0), (1, 1), (0, 1)], mode);
        close(&same.forward(&x), &padded.conv2d(&same.weight, same.bias.as_deref(), Conv::new()));
    }
}

#[test]
fn groups_leave_the_bounds_of_their_fan() {
    let conv = Conv1d::new(64, 64, 3, &mut Rng::new(0)).groups(16);
    assert_eq!(conv.weight.shape()[..], [64, 4, 3]);
    let bound = 1.0 / 12f64.sqrt();
    for param in [&conv.weight, conv.bias.as_ref().unwrap()] {
        let largest = param.abs().amax(()).item();
        assert!(largest <= bound && largest > 0.9 * bound, "{largest} of {bound}");
    }
    let conv = ConvTranspose2d::new(6, 4, 2, &mut Rng::new(0)).groups(2).without_bias();
    assert_eq!((names(&conv), &conv.weight.shape()[..]), (vec!["weight".to_owned()], &[6, 2, 2, 2][..]));
}

#[test]
fn running_statistics_without_momentum_are_plain_means() {
    let mut norm = BatchNorm2d::new(2).momentum(None);
    let rng = &mut Rng::new(0);
    let batches: Vec<Tensor> = (0..3).map(|_| Tensor::randn([4, 2, 3, 3], rng) * 2.0 + 1.0).collect();
    batches.iter().for_each(|x| drop(norm.forward(x)));
    let state = norm.state_dict();
    assert_eq!(state["num_batches_tracked"].to_vec::<i64>(), [3]);
    let mean = batches.iter().map(|x| x.mean([0, 2, 3])).reduce(|a, b| a + b).unwrap() / 3.0;
    let var = batches.iter().map(|x| x.var([0, 2, 3], 1)).reduce(|a, b| a + b).unwrap() / 3.0;
    close(&state["running_mean"], &mean);
    close(&state["running_var"], &var);
    norm.eval();
    let _ = norm.forward(&batches[0]);
    assert_eq!(norm.state_dict(), state);
}

#[test]
fn statistics_are_optional_parts_of_the_state() {
    let norm = BatchNorm2d::new(2).without_affine().without_running();
    assert!(norm.state_dict().is_empty());
    let mut norm = InstanceNorm2d::new(2).affine().running();
    assert_eq!(names(&norm), ["bias", "num_batches_tracked", "running_mean", "running_var", "weight"]);
    let x = Tensor::randn([4, 2, 3, 3], &mut Rng::new(0)) + 1.0;
    let _ = norm.forward(&x);
    close(&norm.state_dict()["running_mean"], &(x.mean([2, 3]).mean(0) * 0.1));
    close(&norm.state_dict()["running_var"], &(x.var([2, 3], 1).mean(0) * 0.1 + 0.9));
    norm.eval();
    let y = norm.forward(&x);
    let shown = |name: &str| norm.state_dict()[name].reshape([1, 2, 1, 1]);
    close(&y, &((&x - shown("running_mean")) / (shown("running_var") + 1e-5).sqrt()));
    // A file of an old version has no counter.
    let mut state = norm.state_dict();
    state.remove("num_batches_tracked");
    norm.load_state_dict(&state).unwrap();
}

#[test]
fn code_that_runs_again_moves_statistics_once() {
    let norm = BatchNorm2d::new(2);
    let x = Tensor::randn([4, 2, 3, 3], &mut Rng::new(0)).tracked();
    let shared = std::sync::Arc::new(norm);
    let inner = shared.clone();
    let y = remat(move |x| inner.forward(&x[0]).square(), &[&x]);
    let _ = y.sum(()).backward();
    assert_eq!(shared.state_dict()["num_batches_tracked"].to_vec::<i64>(), [1]);
}

#[test]
fn the_padding_row_stays() {
    let table = Embedding::new(4, 2, &mut Rng::new(0)).padding(1);
    let grads = table.forward(&Tensor::from([1i64, 3, 3])).sum(()).backward();
    assert_eq!(grads[&table.weight].to_vec::<f32>(), [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0, 2.0]);
}

fn attention(options: MultiheadOptions) -> MultiheadAttention {
    MultiheadAttention::with(8, 2, MultiheadOptions { batch_first: true, ..options }, &mut Rng::new(0))
}

#[test]
fn masks_say_what_not_to_attend_to() {
    let layer = attention(MultiheadOptions::default());
    let x = Tensor::randn([3, 5, 8], &mut Rng::new(1));
    let later = Bool.ones([5, 5]).triu(1);
    let (y, weights) = layer.forward_weights(&x, &x, &x, &Masks::causal());
    let masked = Masks { attention: Some(&later), ..Masks::default() };
    close(&layer.forward(&x, &x, &x, &masked), &y);
    let added = later.where_(f64::NEG_INFINITY, Tensor::zeros([5, 5]));
    close(&layer.forward(&x, &x, &x, &Masks { attention: Some(&added), ..Masks::default() }), &y);
    assert_eq!(weights.triu(1).abs().amax(()).item(), 0.0);

    // The last two positions of the second sequence are padding: as if it were shorter.
    let mut rows = vec![false; 15];
    rows[8..10].fill(true);
    let padding = Tensor::from_vec(rows, [3, 5]);
    let y = layer.forward(&x, &x, &x, &Masks { padding: Some(&padding), ..Masks::default() });
    let short = x.narrow(0, 1, 1).narrow(1, 0, 3);
    close(&y.narrow(0, 1, 1).narrow(1, 0, 3), &layer.forward(&short, &short, &short, &Masks::default()));
    // Both masks at once, one of them of floats.
    let both = Masks { attention: Some(&added), padding: Some(&padding), causal: false };
    close(
        &layer.forward(&x, &x, &x, &both).narrow(0, 1, 1).narrow(1, 0, 3),
        &layer.forward(&short, &short, &short, &Masks::causal()),
    );
}

#[test]
fn sequences_first_or_positions_first() {
    let (first, mut second) =
        (attention(MultiheadOptions::default()), MultiheadAttention::new(8, 2, &mut Rng::new(3)));
    second.load_state_dict(&first.state_dict()).unwrap();
    let rng = &mut Rng::new(1);
    let (q, k) = (Tensor::randn([3, 5, 8], rng), Tensor::randn([3, 7, 8], rng));
    let y = first.forward(&q, &k, &k, &Masks::default());
    let [qt, kt] = [&q, &k].map(|t| t.transpose(0, 1));
    close(&second.forward(&qt, &kt, &kt, &Masks::default()).transpose(0, 1), &y);
    let [one, other] = [&q, &k].map(|t| t.select(0, 2));
    close(&first.forward(&one, &other, &other, &Masks::default()), &y.select(0, 2));
}

#[test]
fn more_keys_and_other_sizes() {
    let options = MultiheadOptions {
        kdim: Some(3),
        vdim: Some(4),
        add_bias_kv: true,
        add_zero_attn: true,
        ..MultiheadOptions::default()
    };
    let mut layer = attention(options);
    layer.convert(F64);
    let state = names(&layer);
    for name in ["q_proj_weight", "k_proj_weight", "v_proj_weight", "bias_k", "bias_v", "in_proj_bias"] {
        assert!(state.contains(&name.to_owned()), "{state:?}");
    }
    let rng = &mut Rng::new(1);
    let (q, k, v) = (F64.randn([2, 3, 8], rng), F64.randn([2, 3, 3], rng), F64.randn([2, 3, 4], rng));
    let (y, weights) = layer.forward_weights(&q, &k, &v, &Masks::causal());
    assert_eq!((&y.shape()[..], &weights.shape()[..]), (&[2, 3, 8][..], &[2, 2, 3, 5][..]));
    // The first query sees the first key and the two on top.
    let first = weights.select(2, 0);
    assert_eq!(first.narrow(-1, 1, 2).abs().amax(()).item(), 0.0);
    assert!(first.narrow(-1, 3, 2).amin(()).item() > 0.0);
    let call = |x: &[Tensor]| layer.forward(&x[0], &x[1], &x[2], &Masks::causal());
    gradcheck(call, &[&q, &k, &v]).unwrap();
}

#[test]
fn every_query_without_a_key_gives_the_bias() {
    let layer = attention(MultiheadOptions::default());
    let x = Tensor::randn([1, 2, 8], &mut Rng::new(1)).tracked();
    let nothing = Bool.ones([2, 2]);
    let y = layer.forward(&x, &x, &x, &Masks { attention: Some(&nothing), ..Masks::default() });
    assert_eq!(y.abs().amax(()).item(), 0.0);
    assert_eq!(y.sum(()).backward()[&x].abs().amax(()).item(), 0.0);
}

#[test]
fn dropout_of_a_transformer_stops_in_evaluation() {
    let options = TransformerOptions { feedforward: 16, dropout: 0.5, ..TransformerOptions::default() };
    let mut layer = TransformerEncoderLayer::with(8, 2, options, &mut Rng::new(0));
    let x = Tensor::randn([5, 3, 8], &mut Rng::new(1));
    let run = |layer: &TransformerEncoderLayer| layer.forward(&x, &Masks::default());
    assert_ne!(run(&layer), run(&layer));
    layer.eval();
    assert_eq!(run(&layer), run(&layer));
}

#[test]
fn rotations_keep_lengths_and_show_distances() {
    let (q, k) = (Tensor::randn([1, 8], &mut Rng::new(0)), Tensor::randn([1, 8], &mut Rng::new(1)));
    for rotary in [RotaryPositions::new(8), RotaryPositions::new(8).interleaved()] {
        let at = |x: &Tensor, position: usize| rotary.forward_at(x, position);
        close(&at(&q, 9).vector_norm(2.0, ()), &q.vector_norm(2.0, ()));
        close(&(at(&q, 7) * at(&k, 4)).sum(()), &(at(&q, 103) * at(&k, 100)).sum(()));
    }
}

#[test]
fn weights_apart_train_and_have_names() {
    let rng = &mut Rng::new(0);
    let layer = WeightNorm::new(Conv2d::new(2, 3, 2, rng));
    let lengths = "parametrizations.weight.original0";
    assert_eq!(names(&layer), ["bias", lengths, "parametrizations.weight.original1"]);
    assert_eq!(layer.state_dict()[lengths].shape()[..], [3, 1, 1, 1]);
    let grads = layer.forward(&Tensor::randn([1, 2, 4, 4], rng)).square().sum(()).backward();
    assert!(layer.parameters().iter().all(|&param| grads.get(param).is_some()));
    // A change of length alone does not reach the directions: they are orthogonal to their gradient.
    let directions = layer.parameters()[1];
    assert!((directions * &grads[directions]).sum(()).item().abs() < 1e-4);
}

#[test]
fn spectral_norms_are_one() {
    let rng = &mut Rng::new(0);
    let mut layer = Sequential::new().then(Residual(SpectralNorm::new(Linear::new(6, 6, rng), rng)));
    let state = names(&layer);
    let prefix = "0.parametrizations.weight";
    let parts = ["0._u", "0._v", "original"].map(|part| format!("{prefix}.{part}"));
    assert_eq!(state, [vec!["0.bias".to_owned()], parts.to_vec()].concat());
    let x = Tensor::randn([2, 6], rng);
    let before = layer.state_dict();
    (0..200).for_each(|_| drop(layer.forward(&x)));
    assert_ne!(layer.state_dict(), before);
    layer.eval();
    let after = layer.state_dict();
    let [u, v, w] = parts.each_ref().map(|name| &after[name]);
    let norm = (u * w.matmul(v)).sum(());
    // W v = norm u and its transpose: the vectors are singular ones.
    close(&w.matmul(v), &(u * &norm));
    close(&w.t().matmul(u), &(v * &norm));
    close(&(layer.forward(&x) - &x - &after["0.bias"]), &x.matmul(w.t()).map(|y| y * (1.0 / norm.item())));
    assert_eq!(layer.state_dict(), after);
}

#[test]
fn shrinking_leaves_out_the_middle() {
    let x = Tensor::from([-2.0f32, -0.5, 0.25, 3.0]).tracked();
    let y = SoftShrink::default().forward(&x);
    assert_eq!(y.to_vec::<f32>(), [-1.5, 0.0, 0.0, 2.5]);
    assert_eq!(y.sum(()).backward()[&x].to_vec::<f32>(), [1.0, 0.0, 0.0, 1.0]);
}

#[test]
fn unpooling_puts_elements_where_they_came_from() {
    // PyTorch's documentation has this list: nine elements are pooled to four, as eight are.
    let x = F64.arange(1, 10, 1).reshape([1, 9]);
    let (y, places) = MaxPool1d::new(2).forward_indices(&x);
    let unpool = MaxUnpool1d::new(2);
    let short = [0.0, 2.0, 0.0, 4.0, 0.0, 6.0, 0.0, 8.0];
    assert_eq!(unpool.forward(&y, &places).to_vec::<f64>(), short);
    assert_eq!(unpool.forward_sized(&y, &places, [9]).to_vec::<f64>(), [&short[..], &[0.0]].concat());
    for size in [6, 10] {
        let error = attempt(|| unpool.forward_sized(&y, &places, [size])).unwrap_err().to_string();
        assert!(error.starts_with("MaxUnpool1d: output size not allowed"), "{error}");
    }
    let error = attempt(|| unpool.padding(5).forward(&y, &places)).unwrap_err().to_string();
    assert!(error.contains("no size: -2"), "{error}");

    // Windows that are padded, and do not lie side by side: what is largest in a window lies where it did.
    let x = F64.randn([2, 3, 7, 6], &mut Rng::new(3));
    let (y, places) = MaxPool2d::new([3, 2]).stride(2).padding([1, 0]).forward_indices(&x);
    let back = MaxUnpool2d::new([3, 2]).stride(2).padding([1, 0]).forward(&y, &places);
    assert_eq!(back.shape(), x.shape());
    assert_eq!(back.ne(0.0).where_(&x, 0.0), back);
    assert!(back.ne(0.0).count_nonzero(()).item() > 30.0);
    gradcheck(|x| MaxUnpool2d::new([3, 2]).stride(2).padding([1, 0]).forward(&x[0], &places), &[&y]).unwrap();
    let voxels = MaxUnpool3d::new([1, 2, 3]).stride([1, 2, 1]);
    let y = F64.ones([1, 2, 2, 2]);
    let places = Tensor::zeros([1, 2, 2, 2]).cast(retrograd_tensor::I64);
    assert_eq!(voxels.forward(&y, &places).shape()[..], [1, 2, 4, 4]);
    assert!(attempt(|| voxels.forward(&F64.ones([2, 2]), &places)).is_err());
}

#[test]
fn distances_keep_their_axis_if_asked() {
    let (x, y) = (F64.randn([4, 3], &mut Rng::new(0)), F64.randn([4, 3], &mut Rng::new(1)));
    let layer = PairwiseDistance { p: 3.0, eps: 0.5, keepdim: true };
    let want = (&x - &y + 0.5).abs().pow(3.0).sum_keepdim(1).pow(1.0 / 3.0);
    close(&layer.forward(&x, &y), &want);
    close(&PairwiseDistance { keepdim: false, ..layer }.forward(&x, &y), &want.squeeze(1));
    let error = attempt(|| layer.forward(&x, &Tensor::ones([4, 3]))).unwrap_err().to_string();
    assert_eq!(error, "pairwise_distance: types differ: f64 and f32; cast one of the two");
    assert!(attempt(|| layer.forward(&x, &y.narrow(1, 0, 2))).is_err());
}

#[test]
fn a_transformer_begins_and_masks_as_pytorch_s() {
    let options = TransformerOptions { feedforward: 24, dropout: 0.0, ..TransformerOptions::default() };
    let model = Transformer::with(8, 2, [2, 3], options, &mut Rng::new(0));
    let of = names(&model);
    for name in ["encoder.layers.1.linear1.weight", "encoder.norm.weight", "decoder.norm.bias"] {
        assert!(of.iter().any(|other| other == name), "{name}");
    }
    assert!(of.iter().any(|name| name == "decoder.layers.2.multihead_attn.in_proj_weight"));
    for (name, param) in model.named_parameters().into_iter().filter(|(_, param)| param.rank() > 1) {
        let bound = (6.0 / (param.size(0) + param.size(1)) as f64).sqrt();
        let largest = param.abs().amax(()).item();
        assert!(largest <= bound && largest > 0.9 * bound, "{name}: {largest} of {bound}");
    }
    assert!(model.encoder.layers.len() == 2 && model.decoder.layers.len() == 3);

    let rng = &mut Rng::new(1);
    let (source, target) = (Tensor::randn([5, 2, 8], rng), Tensor::randn([4, 2, 8], rng));
    let masks = TransformerMasks { target: Masks::causal(), ..TransformerMasks::default() };
    let y = model.forward(&source, &target, &masks);
    // Later targets change nothing before them, and without the mask they do.
    let later = target.with(retrograd_tensor::s![2..], &(target.narrow(0, 2, 2) + 1.0));
    close(&model.forward(&source, &later, &masks).narrow(0, 0, 2), &y.narrow(0, 0, 2));
    let free = |target: &Tensor| model.forward(&source, target, &TransformerMasks::default()).narrow(0, 0, 2);
    assert!((free(&later) - free(&target)).abs().amax(()).item() > 1e-3);
    // Sources that are padding change nothing, where both stacks are told.
    let padding = Tensor::from([[false, false, false, true, true], [false, false, false, false, false]]);
    let told = Masks { padding: Some(&padding), ..Masks::default() };
    let masks = TransformerMasks { source: told, memory: told, ..TransformerMasks::default() };
    let other = source.with(retrograd_tensor::s![3.., 0], Tensor::ones([2, 8]));
    close(&model.forward(&other, &target, &masks), &model.forward(&source, &target, &masks));
    // Without the batch axis.
    let alone = model.forward(&source.select(1, 1), &target.select(1, 1), &TransformerMasks::default());
    close(&alone, &model.forward(&source, &target, &TransformerMasks::default()).select(1, 1));
    let error = attempt(|| model.forward(&source, &target.select(1, 0), &TransformerMasks::default()));
    assert!(error.unwrap_err().to_string().starts_with("Transformer: shapes do not fit: source [5, 2, 8]"));
}
