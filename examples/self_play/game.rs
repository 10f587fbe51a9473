//! Games of stones in a line: tic-tac-toe and Connect Four.

/// A game of getting `line` stones in a line; with `drop` they fall down the columns.
#[derive(Clone, Copy)]
pub(crate) struct Game {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    line: usize,
    pub(crate) drop: bool,
}

pub(crate) const TIC_TAC_TOE: Game = Game { rows: 3, columns: 3, line: 3, drop: false };
pub(crate) const CONNECT_FOUR: Game = Game { rows: 6, columns: 7, line: 4, drop: true };

/// The stones of the one to move and of the other: a bit for each field, and an empty column after the last.
#[derive(Clone, Copy, Default)]
pub(crate) struct Board(pub(crate) [u64; 2]);

impl Game {
    /// How many moves have a number.
    pub(crate) fn actions(self) -> usize {
        if self.drop { self.columns } else { self.rows * self.columns }
    }

    /// The number of the field of a bit.
    pub(crate) fn field(self, bit: u64) -> usize {
        let at = bit.trailing_zeros() as usize;
        at - at / (self.columns + 1)
    }

    /// The fields that may be taken; none if the game is over.
    fn free(self, board: Board) -> u64 {
        let (taken, row) = (board.0[0] | board.0[1], (1 << self.columns) - 1);
        let all = (0..self.rows).fold(0, |all, _| all << (self.columns + 1) | row);
        // A stone falls until it lies on another one or in the first row.
        let held = if self.drop { taken << (self.columns + 1) | row } else { all };
        if self.won(board) { 0 } else { all & !taken & held }
    }

    /// The moves by number, and the boards after them; none if the game is over.
    pub(crate) fn moves(self, board: Board) -> impl Iterator<Item = (usize, Board)> {
        let Board([own, other]) = board;
        bits(self.free(board)).map(move |bit| {
            let field = self.field(bit);
            (if self.drop { field % self.columns } else { field }, Board([other, own | bit]))
        })
    }

    pub(crate) fn play(self, board: Board, action: usize) -> Board {
        self.moves(board).find(|found| found.0 == action).map_or(board, |found| found.1)
    }

    /// Whether the one who has just moved has won.
    fn won(self, Board([_, stones]): Board) -> bool {
        let row = self.columns + 1;
        let line = |step: usize| (1..self.line).fold(stones, |left, n| left & (stones >> (n * step)));
        [1, row - 1, row, row + 1].into_iter().any(|step| line(step) != 0)
    }

    /// What the end of the game is worth for the one who has just moved, if it has ended: 1 if won, 0 if nobody has.
    pub(crate) fn end(self, board: Board) -> Option<f32> {
        let won = self.won(board);
        (won || self.free(board) == 0).then_some(if won { 1.0 } else { 0.0 })
    }

    /// What a game at random from each board comes to: moves all as likely, and the value for the one to move.
    pub(crate) fn playouts(self, boards: &[Board], seed: &mut u64) -> Vec<f32> {
        let mut answers = vec![0.0; boards.len() * (self.actions() + 1)];
        for (&board, answer) in boards.iter().zip(answers.chunks_mut(self.actions() + 1)) {
            let (mut board, mut free, mut sign) = (board, self.free(board), -1.0);
            while free != 0 {
                // Knuth's linear congruential generator.
                *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let drawn = (*seed >> 33) as usize % free.count_ones() as usize;
                board = Board([board.0[1], board.0[0] | bits(free).nth(drawn).unwrap_or(0)]);
                (free, sign) = (self.free(board), -sign);
            }
            answer[self.actions()] = if self.won(board) { sign } else { 0.0 };
        }
        answers
    }
}

/// The bits of a number that are set, one by one.
pub(crate) fn bits(mut left: u64) -> impl Iterator<Item = u64> {
    std::iter::from_fn(move || {
        let bit = left & left.wrapping_neg();
        left ^= bit;
        (bit != 0).then_some(bit)
    })
}
