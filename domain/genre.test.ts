import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AdjacencyMatrix,
  adjacencyOf,
  adjacencyProblems,
  affinity,
  classify,
  type GenreTag,
  type SubgenrePattern,
} from './genre.js';

const CATALOGUE: SubgenrePattern[] = [
  { id: 's1', family: 'Electronic', name: 'House', patterns: ['house'], order_index: 1 },
  {
    id: 's2',
    family: 'Electronic',
    name: 'Progressive House',
    patterns: ['progressive house', 'prog-house'],
    order_index: 2,
  },
  { id: 's3', family: 'Electronic', name: 'Future Bass', patterns: ['future bass'], order_index: 3 },
  { id: 's4', family: 'Hip-Hop', name: 'Trap', patterns: ['trap'], order_index: 1 },
  { id: 's5', family: 'Hip-Hop', name: 'Boom Bap', patterns: ['boom bap', 'boombap'], order_index: 2 },
  { id: 's6', family: 'R&B', name: 'Contemporary R&B', patterns: ['r&b', 'rnb'], order_index: 1 },
  { id: 's7', family: 'Rock', name: 'Post Rock', patterns: ['post rock'], order_index: 1 },
  { id: 's8', family: 'Pop', name: 'Pop', patterns: ['pop', 'k.pop', ''], order_index: 0 },
];

const genreOf = (title: string | null, tags: string[] = [], genre: string | null = null) =>
  classify({ title, tags, genre, subgenres: CATALOGUE });

describe('classify', () => {
  it.each<[string, string | null, string[], string | null, string, string[]]>([
    ['the genre', 'Low Tide', [], 'House', 'Electronic', ['House']],
    ['a tag', 'Low Tide', ['trap'], null, 'Hip-Hop', ['Trap']],
    ['the title', 'Low Tide (Future Bass Mix)', [], null, 'Electronic', ['Future Bass']],
    ['upper case', 'LOW TIDE', ['TRAP'], '', 'Hip-Hop', ['Trap']],
    ['the longest pattern', 'x', [], 'Progressive House', 'Electronic', ['Progressive House']],
    ['hyphens as spaces', 'x', [], 'post-rock', 'Rock', ['Post Rock']],
    ['underscores and doubled spaces', 'x', ['boom_bap', 'boom  bap'], null, 'Hip-Hop', ['Boom Bap']],
    ['a pattern written with a hyphen', 'x', ['prog house'], null, 'Electronic', ['Progressive House']],
    ['a pattern ending in no letter', 'x', [], 'R&B', 'R&B', ['Contemporary R&B']],
    ['full-width letters', 'x', ['Ｔｒａｐ'], null, 'Hip-Hop', ['Trap']],
    ['several of one family', 'House meets Future Bass', [], null, 'Electronic', ['Future Bass', 'House']],
    ['the longer one of two families', 'Pop House', ['trap'], null, 'Electronic', ['House']],
    [
      'both, where the shorter stands alone as well',
      'House',
      ['progressive house'],
      null,
      'Electronic',
      ['Progressive House', 'House'],
    ],
  ])('finds %s', (_name, title, tags, genre, family, subgenres) => {
    expect(genreOf(title, tags, genre)).toMatchObject({ family, subgenres });
  });

  it.each([
    ['part of a word', 'Housewarming Trapeze'],
    ['part of a word in another script', 'éhouse trapß'],
    ['nothing', 'Low Tide'],
    ['a dot as any letter', 'kxpop'],
    ['a word across two tags', 'x'],
  ])('does not take %s for a genre', (_name, title) => {
    expect(genreOf(title, ['future', 'bass'])).toBeNull();
  });

  it('says which pattern matched where', () => {
    expect(genreOf('Trap Anthem', ['prog-house'])?.matches).toEqual([
      { family: 'Electronic', subgenre: 'Progressive House', pattern: 'prog-house', source: 'tags' },
      { family: 'Hip-Hop', subgenre: 'Trap', pattern: 'trap', source: 'title' },
    ]);
  });

  it('breaks ties of equal length by order_index, then by name', () => {
    const tied = (orderA: number, orderB: number) =>
      classify({
        title: 'drill juke',
        tags: [],
        genre: null,
        subgenres: [
          { id: 'b', family: 'B', name: 'Juke', patterns: ['juke '], order_index: orderB },
          { id: 'a', family: 'A', name: 'Dril', patterns: ['rill', 'dril'], order_index: orderA },
          { id: 'c', family: 'C', name: 'Five', patterns: ['drill'], order_index: 99 },
          { id: 'd', family: 'D', name: 'Juk2', patterns: ['JUKE'], order_index: orderA },
        ],
      });
    expect(tied(2, 1)?.matches.map((m) => m.family)).toEqual(['C', 'B', 'D']);
    expect(tied(1, 2)?.matches.map((m) => m.family)).toEqual(['C', 'D', 'B']);
    expect(tied(1, 1)?.matches.map((m) => m.family)).toEqual(['C', 'D', 'B']);
  });

  it('does not depend on the order of the catalogue or of the tags', () => {
    const tags = ['trap', 'house', 'pop', 'progressive house', 'rnb'];
    fc.assert(
      fc.property(
        fc.shuffledSubarray(CATALOGUE, { minLength: CATALOGUE.length }),
        fc.shuffledSubarray(tags, { minLength: tags.length }),
        (subgenres, shuffled) => {
          expect(classify({ title: null, tags: shuffled, genre: null, subgenres })).toEqual(
            genreOf(null, tags),
          );
        },
      ),
    );
  });

  it('answers any pattern and any text', () => {
    fc.assert(
      fc.property(fc.string(), fc.string({ unit: 'binary' }), (pattern, title) => {
        const subgenres = [{ id: 'x', family: 'F', name: 'N', patterns: [pattern], order_index: 0 }];
        const result = classify({ title, tags: [], genre: null, subgenres });
        expect(result === null || result.family === 'F').toBe(true);
      }),
    );
  });
});

describe('affinity', () => {
  const track = { family: 'Electronic', subgenres: ['House', 'Techno'] };
  const matrix: AdjacencyMatrix = { Electronic: { Pop: 0.4, Electronic: 1 }, Pop: { Electronic: 0.4 } };
  const of = (...tags: GenreTag[]) => affinity(track, tags, matrix, { sharedSubgenre: 1, sameFamily: 0.7 });

  it.each<[string, GenreTag[], number, string]>([
    ['a shared subgenre', [{ family: 'Electronic', subgenre: 'House' }], 1, 'subgenre House'],
    ['the same family', [{ family: 'Electronic', subgenre: 'Trance' }], 0.7, 'family Electronic'],
    ['the family as a whole', [{ family: 'electronic ', subgenre: null }], 0.7, 'family electronic '],
    ['a close family', [{ family: 'Pop', subgenre: 'House' }], 0.4, 'Electronic ~ Pop'],
    ['a foreign family', [{ family: 'Rock', subgenre: 'Post Rock' }], 0, 'none'],
    ['no genre', [], 0, 'none'],
    [
      'the best of several',
      [
        { family: 'Rock', subgenre: null },
        { family: 'Pop', subgenre: null },
        { family: 'Electronic', subgenre: 'TECHNO' },
      ],
      1,
      'subgenre TECHNO',
    ],
  ])('of %s', (_name, tags, value, because) => {
    expect(of(...tags)).toEqual({ value, because });
  });

  it('is 0 while the family of the track is unknown', () => {
    const unknown = { family: null, subgenres: ['House'] };
    const tags = [{ family: 'Electronic', subgenre: 'House' }];
    expect(affinity(unknown, tags, matrix, { sharedSubgenre: 1, sameFamily: 0.7 }).value).toBe(0);
  });

  it('reads the matrix both ways and whatever the case', () => {
    expect(adjacencyOf({ Pop: { Rock: 0.2 } }, 'rock', 'POP')).toBe(0.2);
    expect(adjacencyOf({}, 'Pop', 'Rock')).toBe(0);
  });
});

describe('adjacencyProblems', () => {
  it.each<[string, unknown, string[]]>([
    ['nothing in an empty one', {}, []],
    ['nothing in a symmetric one', { A: { B: 0.5, A: 1 }, B: { A: 0.5 } }, []],
    ['nothing in one whose families differ in case only', { A: { b: 0.5 }, B: { a: 0.5 } }, []],
    [
      'a value above 1',
      { A: { B: 1.1 }, B: { A: 1.1 } },
      ['adjacency_out_of_range', 'adjacency_out_of_range'],
    ],
    ['a negative value', { A: { A: -0.1 } }, ['adjacency_out_of_range']],
    ['a text', { A: { A: '1' } }, ['adjacency_out_of_range']],
    ['not a number', { A: { A: Number.NaN } }, ['adjacency_out_of_range']],
    [
      'different directions',
      { A: { B: 0.5 }, B: { A: 0.4 } },
      ['adjacency_not_symmetric', 'adjacency_not_symmetric'],
    ],
    ['one direction', { A: { B: 0.5 } }, ['adjacency_not_symmetric']],
    ['a list', [], ['adjacency_not_a_matrix']],
    ['an empty row', { A: null, B: { A: 0.5 } }, ['adjacency_not_a_matrix', 'adjacency_not_symmetric']],
    ['a family named twice', { A: { a: 1 }, 'a ': {} }, ['adjacency_doubled']],
  ])('finds %s', (_name, matrix, codes) => {
    expect(adjacencyProblems(matrix as AdjacencyMatrix).map((p) => p.code)).toEqual(codes);
  });
});
