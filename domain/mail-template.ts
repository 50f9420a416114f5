/**
 * Mail templates (providers.md, "Resend"): mustache, logic-less. Values are HTML-escaped in the HTML body only; the
 * subject and the plain text are not HTML. A template may use only the variables it declares, and is not rendered
 * while a value it needs is missing: a mail with holes is worse than a failure somebody sees.
 */
import Mustache from 'mustache';

/** Values of a mail as plain JSON. Lists and objects are for sections. */
export type MailValue =
  | string
  | number
  | boolean
  | null
  | Exclude<MailValue, null>[]
  | { [name: string]: MailValue };

/** `variables` of a template: declared name → what it is. `list.field` declares a field of a list's items. */
export type DeclaredVariables = Record<string, unknown>;

export interface MailTemplate {
  subject: string;
  body_html: string;
  body_text: string | null;
}

export type MailTemplatePart = keyof MailTemplate;

export interface MailTemplateProblem {
  path: MailTemplatePart | 'variables';
  code:
    | 'template_empty'
    | 'template_syntax'
    | 'variable_undeclared'
    | 'variable_unescaped'
    | 'variable_name'
    | 'partial_not_supported';
  message: string;
}

export type RenderedMail =
  | { ok: true; subject: string; html: string; text: string | null }
  | {
      ok: false;
      code: 'mail_values_missing' | 'mail_template_broken';
      /** Names of the missing values, sorted; empty for a broken template. */
      missing: string[];
      reason: string;
    };

/** A parsed tag: kind, name, and for a section what it encloses. */
interface Tag {
  kind: 'value' | 'raw value' | 'section' | 'inverted' | 'partial';
  name: string;
  inner: Tag[];
}

const PARTS = ['subject', 'body_html', 'body_text'] as const;
const VARIABLE_NAME = /^[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*$/;

/** Everything that stands against saving a template, in a fixed order. Empty = it may be saved. */
export function templateProblems(template: MailTemplate, declared: DeclaredVariables): MailTemplateProblem[] {
  const problems = Object.keys(declared).flatMap(nameProblem);
  for (const part of PARTS) {
    const text = template[part];
    if (text === null) continue;
    if (text.trim() === '') {
      problems.push({ path: part, code: 'template_empty', message: `Give ${part} some text.` });
      continue;
    }
    const tags = parse(text);
    if (typeof tags === 'string') {
      problems.push({
        path: part,
        code: 'template_syntax',
        message: `Correct the tags of ${part}: ${tags}.`,
      });
    } else {
      problems.push(...tagProblems(part, tags, declared, []));
    }
  }
  return problems;
}

/** Variables a template uses, by their full names as written, sorted. @throws RangeError when it cannot be parsed. */
export function variablesIn(template: MailTemplate): string[] {
  const names = new Set<string>();
  const collect = (tags: Tag[]): void => {
    for (const tag of tags) {
      if (tag.kind !== 'partial' && tag.name !== '.') names.add(tag.name);
      collect(tag.inner);
    }
  };
  for (const part of PARTS) {
    const tags = parse(template[part] ?? '');
    if (typeof tags === 'string') throw new RangeError(`Correct the tags of ${part}: ${tags}.`);
    collect(tags);
  }
  return [...names].sort();
}

/**
 * Renders a mail. A value that is printed must be there (an empty text counts as there); one that only opens a section
 * may be missing, which closes the section. Line breaks in the subject become spaces: it is a mail header.
 */
export function renderMail(template: MailTemplate, values: Record<string, MailValue>): RenderedMail {
  const missing = new Set<string>();
  for (const part of PARTS) {
    const tags = parse(template[part] ?? '');
    if (typeof tags === 'string') {
      const reason = `The template's ${part} cannot be read: ${tags}. Correct it and send the mail again.`;
      return { ok: false, code: 'mail_template_broken', missing: [], reason };
    }
    collectMissing(tags, new Mustache.Context(values), missing);
  }
  if (missing.size > 0) {
    const names = [...missing].sort();
    const reason = `The mail needs values for: ${names.join(', ')}. Give them, or put them into a section of the template.`;
    return { ok: false, code: 'mail_values_missing', missing: names, reason };
  }
  return {
    ok: true,
    subject: plainText(template.subject, values)
      .replace(/[\r\n\u2028\u2029]+/g, ' ')
      .trim(),
    html: new Mustache.Writer().render(template.body_html, new Mustache.Context(values)),
    text: template.body_text === null ? null : plainText(template.body_text, values),
  };
}

function plainText(template: string, values: Record<string, MailValue>): string {
  return new Mustache.Writer().render(template, new Mustache.Context(values), undefined, { escape: String });
}

function nameProblem(name: string): MailTemplateProblem[] {
  // Mustache looks names up on the prototype as well: {{constructor}} would always have a value.
  if (VARIABLE_NAME.test(name) && !name.split('.').some((part) => part in {})) return [];
  const message = `Rename the variable "${name}": lower-case letters, digits and underscores, starting with a letter.`;
  return [{ path: 'variables', code: 'variable_name', message }];
}

function tagProblems(
  part: MailTemplatePart,
  tags: Tag[],
  declared: DeclaredVariables,
  sections: string[],
): MailTemplateProblem[] {
  return tags.flatMap((tag): MailTemplateProblem[] => {
    if (tag.kind === 'partial') {
      const message = `Write the content of {{> ${tag.name}}} into ${part}: partials are not supported.`;
      return [{ path: part, code: 'partial_not_supported', message }];
    }
    const problems: MailTemplateProblem[] = [];
    if (!isDeclared(tag.name, declared, sections)) {
      const message = `Declare the variable "${tag.name}" used in ${part}, or remove it. Declared: ${Object.keys(declared).sort().join(', ') || 'none'}.`;
      problems.push({ path: part, code: 'variable_undeclared', message });
    }
    if (part === 'body_html' && tag.kind === 'raw value') {
      const message = `Write {{${tag.name}}} with two braces: values in HTML are always escaped.`;
      problems.push({ path: part, code: 'variable_unescaped', message });
    }
    return [...problems, ...tagProblems(part, tag.inner, declared, [...sections, tag.name])];
  });
}

/** Declared itself, as (part of) a declared object, or as a field of the items of a section around it. */
function isDeclared(name: string, declared: DeclaredVariables, sections: string[]): boolean {
  if (name === '.') return sections.length > 0;
  const [root = ''] = name.split('.');
  return (
    Object.hasOwn(declared, name) ||
    Object.hasOwn(declared, root) ||
    sections.some((section) => Object.hasOwn(declared, `${section}.${name}`))
  );
}

/** Walks the tags as rendering would, so that only values that would really be printed are asked for. */
function collectMissing(tags: Tag[], context: Mustache.Context, missing: Set<string>): void {
  for (const tag of tags) {
    const value: unknown = context.lookup(tag.name);
    if (tag.kind === 'section') {
      if (Array.isArray(value))
        for (const item of value) collectMissing(tag.inner, context.push(item), missing);
      // As mustache: 0 and '' close a section too, and only objects, texts and numbers become the context inside.
      else if (value) collectMissing(tag.inner, value === true ? context : context.push(value), missing);
    } else if (tag.kind === 'inverted') {
      if (!value || (Array.isArray(value) && value.length === 0)) collectMissing(tag.inner, context, missing);
    } else if (tag.kind !== 'partial' && (value === undefined || value === null)) {
      missing.add(tag.name);
    }
  }
}

const KINDS: Record<string, Tag['kind']> = {
  name: 'value',
  '&': 'raw value',
  '#': 'section',
  '^': 'inverted',
  '>': 'partial',
};

/** The tags of a text, or the parser's complaint. */
function parse(text: string): Tag[] | string {
  try {
    // A writer of its own, because the shared one keeps every text it ever saw.
    return tagsOf(new Mustache.Writer().parse(text) as unknown[]);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Mustache's spans are arrays `[type, value, start, end, inner spans?, …]`; text and comments are left out. */
function tagsOf(spans: unknown[]): Tag[] {
  return spans.flatMap((span): Tag[] => {
    if (!Array.isArray(span)) return [];
    const kind = KINDS[String(span[0])];
    if (kind === undefined) return [];
    return [{ kind, name: String(span[1]), inner: Array.isArray(span[4]) ? tagsOf(span[4]) : [] }];
  });
}
