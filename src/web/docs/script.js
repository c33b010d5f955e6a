// Renders the API document for people. No library, no request but the one for the document; text becomes text nodes, never HTML.
'use strict';

const VERBS = ['get', 'post', 'put', 'patch', 'delete', 'options'];

/** An element: el('a.here', {href}, children…). */
function el(what, ...children) {
  const [tag, ...classes] = what.split('.');
  const node = document.createElement(tag);
  if (classes.length) node.className = classes.join(' ');
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === '') continue;
    if (typeof child === 'object' && !(child instanceof Node)) Object.assign(node, child);
    else node.append(child);
  }
  return node;
}

/** `code`, **strong** and *emphasis* of a line. */
function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*|\*[^*]+\*)/).filter(Boolean).map((part) => {
    if (part.startsWith('`')) return el('code', part.slice(1, -1));
    if (part.startsWith('**')) return el('strong', part.slice(2, -2));
    if (part.startsWith('*') && part.length > 2) return el('em', part.slice(1, -1));
    return part;
  });
}

/** Paragraphs and tables: all the Markdown the document uses. */
function markdown(text) {
  return (text || '').split('\n\n').filter(Boolean).map((block) => {
    if (!block.startsWith('|')) return el('p', inline(block));
    const [head, , ...rows] = block.split('\n').map((row) => row.split('|').slice(1, -1));
    const cells = (kind) => (row) => el('tr', row.map((cell) => el(kind, inline(cell.trim()))));
    return el('table', el('thead', cells('th')(head)), el('tbody', rows.map(cells('td'))));
  });
}

let schemas = {};
const nameOf = (schema) => (schema.$ref || '').split('/').pop();
const resolve = (schema) => (schema.$ref ? schemas[nameOf(schema)] : schema);

/** What a value may be, in words; named schemas are links. What may be left out may be `null` as well: not worth a word. */
function kind(schema, required = true) {
  const worth = (type) => type && (required || type !== 'null');
  if (schema.$ref) return [el('a', { href: '#schema-' + nameOf(schema) }, nameOf(schema))];
  if (schema.anyOf) return schema.anyOf.filter((one) => worth(one.type ?? 'object')).flatMap((one, i) => (i ? [' or ', ...kind(one)] : kind(one)));
  const types = [schema.type].flat().filter(worth);
  return types.flatMap((type, i) => {
    const words = type === 'array' ? ['list of ', ...kind(schema.items)] : [type];
    return i ? [' or ', ...words] : words;
  });
}

/** Words, bounds, default and example of a value. */
function limits(schema) {
  const parts = [];
  const values = (list) => list.filter((one) => one !== null).flatMap((one, i) => [i ? ' ' : '', el('code', String(one))]);
  if (schema.enum) parts.push(['One of ', ...values(schema.enum)]);
  if (schema.minimum !== undefined && schema.maximum !== undefined) parts.push([`From ${schema.minimum} to ${schema.maximum}`]);
  else if (schema.minimum !== undefined) parts.push([`${schema.minimum} or more`]);
  if (schema.pattern) parts.push(['Matches ', el('code', schema.pattern)]);
  if (schema.default !== undefined) parts.push(['Default ', el('code', JSON.stringify(schema.default))]);
  else if (schema.examples && ['string', 'number'].includes(typeof schema.examples[0]) && !schema.enum) parts.push(['Like ', el('code', String(schema.examples[0]))]);
  return parts.map((part) => el('div.more', part));
}

/** The fields of an object, a row each; objects without a name are opened in place. Of a body the fields that must be there are marked,
 * of an answer those that may be absent. */
function fields(schema, body, prefix = '') {
  const required = schema.required || [];
  const named = (field) => [field, ...(field.anyOf || [])].find((one) => one.$ref);
  const mark = (name) => (body === required.includes(name) ? el('span.more', body ? ' required' : ' optional') : '');
  return Object.entries(schema.properties || {}).flatMap(([name, field]) => {
    const inner = field.type === 'array' ? field.items : field;
    const described = field.description || (named(field) && resolve(named(field)).description) || '';
    const row = el('tr',
      el('td', el('code', prefix + name), mark(name), el('div.kind', kind(field, !body || required.includes(name)))),
      el('td', inline(described), limits(field.type === 'array' ? { ...inner, default: field.default } : field)));
    return [row, ...(inner.properties ? fields(inner, body, `${prefix}${name}${field.type === 'array' ? '[]' : ''}.`) : [])];
  });
}

const table = (rows) => el('table.fields', el('tbody', rows));

/** A value that fits a schema. */
function sample(schema, depth = 0) {
  const whole = resolve(schema);
  if (whole.examples) return whole.examples[0];
  if (whole.default !== undefined) return whole.default;
  if (whole.enum) return whole.enum[0];
  if (whole.anyOf) return sample(whole.anyOf[0], depth);
  const type = [whole.type].flat()[0];
  if (type === 'array') return depth > 5 ? [] : [sample(whole.items, depth + 1)];
  if (type === 'object') {
    const known = Object.entries(whole.properties || {}).filter(([name]) => (whole.required || []).includes(name));
    return Object.fromEntries(known.map(([name, field]) => [name, sample(field, depth + 1)]));
  }
  return { string: '', integer: 0, number: 0, boolean: true }[type] ?? null;
}

const pretty = (value) => el('pre', el('code', JSON.stringify(value, null, 2)));

function shape(media) {
  const schema = media.schema;
  if (!schema) return [];
  const whole = resolve(schema);
  const intro = schema.$ref ? el('p.kind', kind(schema)) : '';
  const inner = !schema.$ref && whole.properties ? table(fields(whole, false)) : '';
  const example = ['object', 'array'].includes([whole.type].flat()[0]) ? pretty(sample(schema)) : '';
  return [intro, inner, example];
}

/** The one shape that all refusals of an operation have. */
const refusal = (media) => ['Error', 'Problem'].find((name) => media?.schema && nameOf(media.schema) === name);

function answer([status, response]) {
  const [type, media] = Object.entries(response.content || {})[0] || [];
  const colour = status >= '500' ? '.failed' : status >= '400' ? '.refused' : '';
  const head = [el('span.status' + colour, status), el('span.what', inline(response.description))];
  if (refusal(media)) return el('div.answer.bare', head);
  const inside = [type && type !== 'application/json' ? el('p.kind', type) : '', ...(media ? shape(media) : [])].filter(Boolean);
  for (const [name, header] of Object.entries(response.headers || {})) inside.push(el('p.kind', el('code', name), ' ', inline(header.description)));
  return inside.length ? el('details.answer', el('summary', head), inside) : el('div.answer.bare', head);
}

/** A line to copy. Values stand in single quotes: no shell looks into them. */
function curl(verb, path, operation) {
  const quote = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
  const values = Object.fromEntries((operation.parameters || []).filter((one) => one.in === 'path').map((one) => [one.name, sample(one.schema)]));
  const url = location.origin + path.replace(/{(\w+)}/g, (_, name) => values[name]);
  const parts = ['curl', location.protocol === 'https:' ? '-k' : '', verb === 'get' ? '' : '-X ' + verb.toUpperCase()];
  if (operation.security.some((one) => 'secret' in one)) parts.push('-u "OPENVIDUAPP:$SECRET"');
  const [type, media] = Object.entries(operation.requestBody?.content || {})[0] || [];
  if (type) parts.push(`-H ${quote('Content-Type: ' + type)}`);
  if (type === 'application/json') parts.push('-d ' + quote(JSON.stringify(sample(media.schema))));
  else if (type) parts.push('--data-binary @offer.sdp');
  const line = [...parts.filter(Boolean), quote(url)].join(' ');
  const button = el('button', { type: 'button' }, 'Copy');
  button.onclick = async () => {
    await copy(line);
    button.textContent = 'Copied';
    setTimeout(() => { button.textContent = 'Copy'; }, 1500);
  };
  return el('div.curl', el('pre', el('code', line)), button);
}

/** Pages of plain HTTP have no clipboard of their own. */
async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = el('textarea', { value: text });
  document.body.append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
}

function parameters(list, place, title) {
  const rows = list.filter((one) => one.in === place).map((one) => el('tr',
    el('td', el('code', one.name), el('div.kind', kind(one.schema))),
    el('td', inline(one.description), limits(one.schema))));
  return rows.length ? [el('h4', title), table(rows)] : [];
}

/** Refusals that any request may meet: told, but not in everybody's way. */
const USUAL = ['408', '413', '414', '415', '429', '431'];

/** The heading of the answers says what refusals look like, once. */
function answers(responses) {
  const all = Object.entries(responses);
  const usual = all.filter(([status]) => USUAL.includes(status));
  const shape = Object.values(responses).flatMap((one) => Object.values(one.content || {})).map(refusal).find(Boolean);
  const note = shape ? el('span.note', 'refusals: ', el('a', { href: '#schema-' + shape }, shape)) : '';
  const head = [el('span.status.refused', '4xx'), el('span.what', 'What any request may meet: too slow, too large, too many.')];
  return [el('h4', 'Answers', note), all.filter((one) => !usual.includes(one)).map(answer),
    usual.length ? el('details.answer', el('summary', head), usual.map(answer)) : ''];
}

function operationCard(verb, path, operation) {
  const list = operation.parameters || [];
  const body = Object.entries(operation.requestBody?.content || {})[0];
  const steps = path.split(/({\w+})/).map((part) => (part.startsWith('{') ? el('b', part) : part));
  const marks = [operation.security.length ? '' : el('span.mark', 'no credentials'), operation.deprecated ? el('span.mark', 'deprecated') : ''];
  const bodyFields = body && (resolve(body[1].schema).properties ? table(fields(resolve(body[1].schema), true)) : el('p', inline(body[1].schema.description)));
  return el('article.operation', { id: operation.operationId },
    el('h3', el('a', { href: '#' + operation.operationId }, operation.summary), ' ', marks),
    el('div.call', el(`span.verb.${verb}`, verb.toUpperCase()), el('span.path', steps)),
    markdown(operation.description),
    parameters(list, 'path', 'In the path'), parameters(list, 'query', 'In the query'), parameters(list, 'header', 'In the header'),
    body ? [el('h4', operation.requestBody.required ? 'Body' : 'Body, if any'), bodyFields] : [],
    answers(operation.responses),
    operation.responses['101'] ? [] : [el('h4', 'Try it'), curl(verb, path, operation)]);
}

function schemaCard([name, schema]) {
  return el('article', { id: 'schema-' + name }, el('h3', el('a', { href: '#schema-' + name }, name)), el('p', inline(schema.description || '')),
    table(fields(schema, !schema.required?.length)));
}

function render(api) {
  schemas = api.components.schemas;
  const operations = Object.entries(api.paths).flatMap(([path, verbs]) =>
    VERBS.filter((verb) => verbs[verb]).map((verb) => ({ verb, path, operation: verbs[verb], card: operationCard(verb, path, verbs[verb]) })));
  const main = document.querySelector('main');
  const links = document.querySelector('nav > div');
  main.replaceChildren(el('h1', api.info.title + ' API'),
    el('p.version', `Version ${api.info.version} · `, el('a', { href: 'openapi.json' }, 'openapi.json'), ' for tools'), ...markdown(api.info.description));
  const groups = [];
  const group = (title, lead, cards, entries) => {
    const section = el('section', el('h2', title), el('p.lead', inline(lead)), cards.map((one) => one.card));
    const list = el('section', el('h2', title), entries);
    main.append(section);
    links.append(list);
    groups.push({ section, list, cards });
  };
  for (const { name, description } of api.tags) {
    const own = operations.filter((one) => one.operation.tags.includes(name));
    for (const one of own) {
      one.link = el('a', { href: '#' + one.operation.operationId }, el(`span.verb.${one.verb}`, one.verb.toUpperCase()), one.operation.summary);
      one.words = `${one.verb} ${one.path} ${one.operation.summary} ${one.operation.operationId}`.toLowerCase();
    }
    group(name, description, own, own.map((one) => one.link));
  }
  const shapes = Object.entries(schemas).map((entry) =>
    ({ card: schemaCard(entry), link: el('a', { href: '#schema-' + entry[0] }, entry[0]), words: entry[0].toLowerCase() }));
  group('Shapes', 'The objects that requests and answers are made of.', shapes, shapes.map((one) => one.link));
  search(groups);
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

function search(groups) {
  const field = document.querySelector('input[type="search"]');
  field.oninput = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const { section, list, cards } of groups) {
      for (const one of cards) one.card.hidden = one.link.hidden = !words.every((word) => one.words.includes(word));
      section.hidden = list.hidden = cards.every((one) => one.card.hidden);
    }
  };
}

fetch('openapi.json').then((response) => response.json()).then(render).catch((error) => {
  document.querySelector('main').replaceChildren(el('p.trouble', `The document could not be read: ${error.message}`));
});
