import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type MailTemplate, renderMail, templateProblems, variablesIn } from './mail-template.js';

const TEMPLATE: MailTemplate = {
  subject: 'About {{track_name}}',
  body_html:
    '<p>Hello {{member_name}}, {{track_name}} was rejected.</p>{{#reason}}<p>{{reason}}</p>{{/reason}}',
  body_text: 'Hello {{member_name}}, {{track_name}} was rejected.{{#reason}} {{reason}}{{/reason}}',
};
const DECLARED = { member_name: 'Name of the member', track_name: 'Title', reason: 'Why' };

const html = (body_html: string): MailTemplate => ({ subject: 's', body_html, body_text: null });
const codes = (template: MailTemplate, declared: Record<string, unknown> = DECLARED) =>
  templateProblems(template, declared).map((problem) => problem.code);

describe('templateProblems', () => {
  it('lets a template be saved that declares what it uses', () => {
    expect(templateProblems(TEMPLATE, DECLARED)).toEqual([]);
  });

  it('names the undeclared variable and its place', () => {
    const problems = templateProblems({ ...TEMPLATE, subject: 'For {{artist}}' }, DECLARED);
    expect(problems).toEqual([
      {
        path: 'subject',
        code: 'variable_undeclared',
        message: expect.stringContaining('"artist" used in subject'),
      },
    ]);
  });

  it.each<[string, MailTemplate, string[]]>([
    ['in the HTML', html('{{artist}}'), ['variable_undeclared']],
    ['in the text', { ...TEMPLATE, body_text: '{{artist}}' }, ['variable_undeclared']],
    ['as a section', html('{{#artist}}x{{/artist}}'), ['variable_undeclared']],
    ['as an inverted section', html('{{^artist}}x{{/artist}}'), ['variable_undeclared']],
    ['inside a section', html('{{#reason}}{{artist}}{{/reason}}'), ['variable_undeclared']],
    ['behind other delimiters', html('{{=<% %>=}}<% artist %>'), ['variable_undeclared']],
    ['unescaped with three braces', html('{{{reason}}}'), ['variable_unescaped']],
    ['unescaped with an ampersand', html('{{& reason}}'), ['variable_unescaped']],
    ['a partial', html('{{> footer}}'), ['partial_not_supported']],
    ['an open section', html('{{#reason}}x'), ['template_syntax']],
    ['an open tag', html('{{reason'), ['template_syntax']],
    ['a section closed by another', html('{{#reason}}x{{/track_name}}'), ['template_syntax']],
    ['an item outside of a list', html('{{.}}'), ['variable_undeclared']],
    ['an empty subject', { ...TEMPLATE, subject: ' ' }, ['template_empty']],
  ])('refuses %s', (_name, template, expected) => {
    expect(codes(template)).toEqual(expected);
  });

  it.each([
    ['a comment', html('{{! artist }}x'), DECLARED],
    ['unescaped values outside of HTML', { ...TEMPLATE, body_text: '{{{reason}}} {{&reason}}' }, DECLARED],
    ['fields of a declared object', html('{{track.title}}'), { track: 'The track' }],
    ['a declared path', html('{{track.title}}'), { 'track.title': 'Title' }],
    ['declared fields of items', html('{{#rows}}{{name}}{{/rows}}'), { rows: 'Rows', 'rows.name': 'Name' }],
    ['items themselves', html('{{#rows}}{{.}}{{/rows}}'), { rows: 'Rows' }],
  ])('accepts %s', (_name, template, declared) => {
    expect(codes(template, declared)).toEqual([]);
  });

  it.each(['constructor', 'toString', '__proto__x', 'Name', 'a b', '', '1st', 'track.constructor'])(
    'refuses to declare "%s"',
    (name) => {
      expect(codes(TEMPLATE, { ...DECLARED, [name]: 'x' })).toEqual(['variable_name']);
    },
  );
});

it('lists the variables of a template', () => {
  expect(variablesIn(TEMPLATE)).toEqual(['member_name', 'reason', 'track_name']);
  expect(() => variablesIn(html('{{#x}}'))).toThrow(RangeError);
});

describe('renderMail', () => {
  const values = { member_name: 'Night & Day', track_name: '<b>Tide</b>', reason: 'Too "loud"' };

  it('escapes in HTML only', () => {
    expect(renderMail(TEMPLATE, values)).toEqual({
      ok: true,
      subject: 'About <b>Tide</b>',
      html: '<p>Hello Night &amp; Day, &lt;b&gt;Tide&lt;&#x2F;b&gt; was rejected.</p><p>Too &quot;loud&quot;</p>',
      text: 'Hello Night & Day, <b>Tide</b> was rejected. Too "loud"',
    });
  });

  it('leaves a section out when its value is missing', () => {
    expect(renderMail(TEMPLATE, { member_name: 'A', track_name: 'B' })).toMatchObject({
      ok: true,
      text: 'Hello A, B was rejected.',
    });
  });

  it('lists every missing value, in all parts, once', () => {
    expect(renderMail(TEMPLATE, { reason: 'x', track_name: null })).toMatchObject({
      ok: false,
      code: 'mail_values_missing',
      missing: ['member_name', 'track_name'],
      reason: expect.stringContaining('member_name, track_name'),
    });
  });

  it.each<[string, string, Parameters<typeof renderMail>[1], string | string[]]>([
    ['a list', '{{#rows}}{{name}};{{/rows}}', { rows: [{ name: 'a' }, { name: 'b' }] }, 'a;b;'],
    ['a list of texts', '{{#rows}}{{.}};{{/rows}}', { rows: ['a', 'b'] }, 'a;b;'],
    ['an empty list', '{{#rows}}{{name}}{{/rows}}{{^rows}}none{{/rows}}', { rows: [] }, 'none'],
    ['a value from outside a list', '{{#rows}}{{org}}{{/rows}}', { rows: [{}], org: 'o' }, 'o'],
    ['an object', '{{#track}}{{title}}{{/track}}{{track.title}}', { track: { title: 't' } }, 'tt'],
    ['true', '{{#flag}}{{name}}{{/flag}}', { flag: true, name: 'n' }, 'n'],
    ['zero and an empty text', '{{count}}{{name}}', { count: 0, name: '' }, '0'],
    ['a field missing in one item', '{{#rows}}{{name}}{{/rows}}', { rows: [{ name: 'a' }, {}] }, ['name']],
    ['a field missing in an object', '{{track.title}}', { track: {} }, ['track.title']],
    ['a value in a closed section', '{{#flag}}{{name}}{{/flag}}', { flag: false }, ''],
    ['a value in an open inverted section', '{{^flag}}{{name}}{{/flag}}', { flag: false }, ['name']],
  ])('knows %s', (_name, body, given, expected) => {
    const mail = renderMail(html(body), given);
    expect(mail.ok ? mail.html : mail.missing).toEqual(expected);
  });

  it('keeps the subject on one line', () => {
    const mail = renderMail({ ...TEMPLATE, subject: '{{name}}' }, { ...values, name: 'a\r\nBcc: b\u2028c ' });
    expect(mail.ok && mail.subject).toBe('a Bcc: b c');
  });

  it('says that a stored template is broken', () => {
    expect(renderMail(html('{{#x}}'), {})).toMatchObject({
      ok: false,
      code: 'mail_template_broken',
      missing: [],
    });
  });

  it('prints every value, or names every hole', () => {
    const name = fc.constantFrom('a', 'b', 'c');
    const given = fc.dictionary(name, fc.string({ minLength: 1 }), { maxKeys: 3, noNullPrototype: true });
    fc.assert(
      fc.property(fc.array(name, { minLength: 1 }), given, (used, values) => {
        const mail = renderMail(
          { subject: 's', body_html: 'x', body_text: used.map((n) => `[{{${n}}}]`).join('') },
          values,
        );
        const holes = [...new Set(used.filter((n) => !Object.hasOwn(values, n)))].sort();
        if (holes.length > 0) expect(mail).toMatchObject({ ok: false, missing: holes });
        else expect(mail).toMatchObject({ ok: true, text: used.map((n) => `[${values[n]}]`).join('') });
      }),
    );
  });

  it('lets no value break out of the HTML', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const mail = renderMail(html('<a title="{{v}}">{{v}}</a>'), { v: value });
        expect(mail.ok && mail.html.replace(/^<a title="/, '').replace(/<\/a>$/, '')).not.toMatch(
          /["'<`].*["'<`]/s,
        );
      }),
    );
  });
});
