//! How good a player is: what it loses to, and what it wins against a search without a network.

use super::game::{Board, Game};
use super::player::judge;
use super::search::{best, search};
use retrograd::prelude::*;
use std::time::{Duration, Instant};

/// How many games the network loses if it meets every reply, as first and as second.
pub(crate) fn lost(net: &Sequential, game: Game, simulations: usize) -> f64 {
    let mut lost = 0;
    for first in [0, 1] {
        let mut boards = vec![Board::default()];
        for ply in first..10 {
            boards.retain(|board| !game.moves(*board).is_empty());
            if ply % 2 == 0 {
                let visits = search(game, &boards, &mut judge(net, game), None, &|done| done < simulations);
                boards = boards.iter().zip(visits).map(|(&board, v)| game.play(board, best(&v))).collect();
            } else {
                boards = boards.iter().flat_map(|&board| game.moves(board)).map(|found| found.1).collect();
                lost += boards.iter().filter(|board| game.won(**board)).count();
            }
        }
    }
    lost as f64
}

/// The share of points against a search of equal time whose judge plays at random, from 20 openings by both sides.
pub(crate) fn points(net: &Sequential, game: Game, rng: &mut Rng) -> f64 {
    let openings = Tensor::randint(0, game.actions() as i64, [20, 2], rng).to_vec::<i64>();
    let opening = |moves: &[i64]| moves.iter().fold(Board::default(), |b, &at| game.play(b, at as usize));
    let mut sides = [(); 2].map(|()| openings.chunks(2).map(opening).collect::<Vec<_>>());
    let (mut points, mut seed) = (0.0, 1);
    for ply in 0..game.rows * game.columns {
        let mut time = Duration::ZERO;
        for plain in [false, true] {
            let (side, start) = (&mut sides[(ply + usize::from(plain)) % 2], Instant::now());
            if side.is_empty() {
                continue;
            }
            let visits = if plain {
                let more = |done| done < 2 || start.elapsed() < time;
                search(game, side, &mut |boards| game.playouts(boards, &mut seed), None, &more)
            } else {
                search(game, side, &mut judge(net, game), None, &|done| done < 200)
            };
            time = start.elapsed();
            side.iter_mut().zip(visits).for_each(|(board, v)| *board = game.play(*board, best(&v)));
            for board in side.extract_if(.., |board| game.moves(*board).is_empty()) {
                points += if !game.won(board) {
                    0.5
                } else if plain {
                    0.0
                } else {
                    1.0
                };
            }
        }
    }
    points / 40.0
}
