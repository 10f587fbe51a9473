//! Games of the player against itself, from which it learns.

use super::child::best;
use super::game::{Board, Game};
use super::player::{Example, judge};
use super::search::Search;
use retrograd::prelude::*;

/// Plays games side by side, the first moves by chance.
pub(crate) fn self_play(net: &Sequential, game: Game, games: usize, rng: &mut Rng) -> Vec<Example> {
    let search = Search { game, explore: 1.5, width: 1 };
    let simulations = if game.drop { 80 } else { 50 };
    let (mut playing, mut examples) = (vec![(Board::default(), Vec::new()); games], Vec::new());
    for ply in 0..game.rows * game.columns {
        let boards: Vec<_> = playing.iter().map(|(board, _)| *board).collect();
        let found = search.run(&boards, &mut judge(net, game), Some(rng), &|done| done < simulations);
        let draws = Tensor::rand([boards.len()], rng).iter::<f32>();
        for (((board, past), (visits, value)), mut left) in playing.iter_mut().zip(found).zip(draws) {
            let drawn = visits.iter().position(|share| (left -= share, left < 0.0).1);
            let action = drawn.filter(|_| ply <= game.columns).unwrap_or(best(visits.iter().copied()));
            past.push((*board, visits, value));
            *board = game.play(*board, action);
        }
        for (board, past) in playing.extract_if(.., |(board, _)| game.end(*board).is_some()) {
            let won = game.end(board).unwrap_or(0.0);
            let signs = [won, -won].into_iter().cycle();
            // Half of what the position was worth to the search, half of what came of it.
            let example = |((board, visits, value), came)| (board, visits, 0.5 * (value + came));
            examples.extend(past.into_iter().rev().zip(signs).map(example));
        }
    }
    examples
}
