//! The network that plays: what it sees, how it judges, how it learns.

use super::game::{Board, Game, bits};
use retrograd::prelude::*;

/// A position, what the search made of it, and what came of it for the one to move.
pub(crate) type Example = (Board, Vec<f32>, f32);

/// Two hidden layers, and an output for each move and one for the value.
pub(crate) fn network(game: Game, rng: &mut Rng) -> Sequential {
    let width = 128;
    let net = Sequential::new().then(Linear::new(2 * game.rows * game.columns, width, rng)).then(Relu);
    net.then(Linear::new(width, width, rng)).then(Relu).then(Linear::new(width, game.actions() + 1, rng))
}

/// Both players' stones, 1 for each, those of the one to move first.
fn stones(game: Game, boards: &[Board]) -> Tensor {
    let fields = game.rows * game.columns;
    let mut all = vec![0_f32; boards.len() * 2 * fields];
    for (half, x) in boards.iter().flat_map(|board| board.0).zip(all.chunks_mut(fields)) {
        bits(half).for_each(|bit| x[game.field(bit)] = 1.0);
    }
    Tensor::from_vec(all, [boards.len(), 2 * fields])
}

/// The logits of all moves, and the value as the last.
fn answers(net: &Sequential, x: &Tensor) -> Tensor {
    let out = net.forward(x);
    let moves = out.size(1) - 1;
    cat(&[out.narrow(1, 0, moves), out.narrow(1, moves, 1).tanh()], 1)
}

/// What the network makes of boards, for the search.
pub(crate) fn judge(net: &Sequential, game: Game) -> impl FnMut(&[Board]) -> Vec<f32> {
    move |boards| no_grad(|| answers(net, &stones(game, boards))).to_vec()
}

/// The same positions seen in a mirror, or turned.
fn seen(x: &Tensor, rows: usize, game: Game, how: i64) -> Tensor {
    let mut x = x.reshape([x.size(0) as isize, -1, rows as isize, game.columns as isize]);
    x = if how & 1 > 0 { x.flip(-1) } else { x };
    x = if how & 2 > 0 && !game.drop { x.flip(-2) } else { x };
    (if how & 4 > 0 && !game.drop { x.transpose(-1, -2) } else { x }).flatten(1, -1)
}

/// Steps of Adam on positions drawn from `past`.
pub(crate) fn learn(
    net: &mut Sequential,
    adam: &mut Adam,
    game: Game,
    past: &[Example],
    [steps, batch]: [usize; 2],
    rng: &mut Rng,
) -> Result<(), Error> {
    let boards: Vec<_> = past.iter().map(|example| example.0).collect();
    let (x, n) = (stones(game, &boards), game.actions());
    let moves = Tensor::from_vec(past.iter().flat_map(|e| e.1.clone()).collect::<Vec<_>>(), [past.len(), n]);
    let values = Tensor::from(past.iter().map(|example| example.2).collect::<Vec<_>>());
    for _ in 0..steps {
        let some = Tensor::randint(0, past.len() as i64, [batch], rng);
        let how = Tensor::randint(0, 8, [1], rng).item() as i64;
        let [x, moves] = [(&x, game.rows), (&moves, n / game.columns)]
            .map(|(x, rows)| seen(&x.index_select(0, &some), rows, game, how));
        let out = answers(net, &x);
        let value = out.select(1, n).mse_loss(&values.index_select(0, &some));
        adam.step(net, &(out.narrow(1, 0, n).cross_entropy(&moves) + value).backward())?;
    }
    Ok(())
}
