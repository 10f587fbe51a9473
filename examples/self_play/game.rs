//! Games of stones in a line: tic-tac-toe and Connect Four.

/// A game of getting `line` stones in a line; with `drop` they fall down the columns.
#[derive(Clone, Copy)]
pub(crate) struct Game {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) line: usize,
    pub(crate) drop: bool,
}

/// The stones of the one to move and of the other: a bit for each field, and an empty column after the last.
#[derive(Clone, Copy, Default)]
pub(crate) struct Board(pub(crate) [u64; 2]);

impl Game {
    /// How many moves have a number.
    pub(crate) fn actions(self) -> usize {
        if self.drop { self.columns } else { self.rows * self.columns }
    }

    pub(crate) fn fields(self) -> impl Iterator<Item = u64> {
        (0..self.rows * self.columns).map(move |field| 1 << (field + field / self.columns))
    }

    /// The moves by number, and the boards after them; none if the game is over.
    pub(crate) fn moves(self, board: Board) -> Vec<(usize, Board)> {
        let (Board([own, other]), mut moves) = (board, Vec::with_capacity(self.actions()));
        if self.won(board) {
            return moves;
        }
        for (field, bit) in self.fields().enumerate() {
            let action = if self.drop { field % self.columns } else { field };
            // In a column the lowest free field comes first.
            let above =
                self.drop && field >= self.columns && (own | other) & (bit >> (self.columns + 1)) == 0;
            if (own | other) & bit == 0 && !above {
                moves.push((action, Board([other, own | bit])));
            }
        }
        moves
    }

    pub(crate) fn play(self, board: Board, action: usize) -> Board {
        self.moves(board).into_iter().find(|found| found.0 == action).map_or(board, |found| found.1)
    }

    /// Whether the one who has just moved has won.
    pub(crate) fn won(self, Board([_, stones]): Board) -> bool {
        let row = self.columns + 1;
        let line = |step: usize| (1..self.line).fold(stones, |left, n| left & (stones >> (n * step)));
        [1, row - 1, row, row + 1].into_iter().any(|step| line(step) != 0)
    }

    /// What a game at random from each board comes to: moves all as likely, and the value for the one to move.
    pub(crate) fn playouts(self, boards: &[Board], seed: &mut u64) -> Vec<f32> {
        let mut answers = vec![0.0; boards.len() * (self.actions() + 1)];
        for (&board, answer) in boards.iter().zip(answers.chunks_mut(self.actions() + 1)) {
            let (mut board, mut moves, mut sign) = (board, self.moves(board), -1.0);
            while !moves.is_empty() {
                // Knuth's linear congruential generator.
                *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                board = moves[(*seed >> 33) as usize % moves.len()].1;
                (moves, sign) = (self.moves(board), -sign);
            }
            answer[self.actions()] = if self.won(board) { sign } else { 0.0 };
        }
        answers
    }
}
