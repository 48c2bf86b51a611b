// Selected items as files, made in the page: their pictures as a ZIP, what is known of them as JSON, CSV or HTML.

import { el } from "./dom.js";
import { own, t } from "./i18n.js";
import { dataUrl } from "./picture.js";

export const FORMATS = {
	JSON: ["tuwen.json", "application/json"],
	CSV: ["tuwen.csv", "text/csv"],
	HTML: ["tuwen.html", "text/html"],
};
const COLUMNS = ["id", "kind", "name", "path", "score", "probability", "width", "height", "caption", "text", "made_by", "captions", "tags"];
const OTHERWISE = ["name", "folder", "width", "height", "tag"]; // fields that are columns already, or parts of the path

export function save(name, type, content) {
	const href = URL.createObjectURL(new Blob([content], { type }));
	el("a", { href, download: name }).click();
	setTimeout(URL.revokeObjectURL, 60_000, href);
}

/// `about(hit)` gives what the server knows of a hit beside itself.
export async function exported(format, hits, about) {
	const items = [];
	for (const hit of hits) items.push(itemOf(hit, await about(hit)));
	if (format === "HTML") return html(items);
	if (format === "JSON") return JSON.stringify(items.map(({ thumbnail, ...item }) => item), null, "\t");
	const names = [...new Set(items.flatMap(({ fields }) => Object.keys(fields)))];
	const row = (item) => [...COLUMNS.map((name) => item[name]), ...names.map((name) => own(item.fields, name))];
	// Without the mark at the beginning Excel takes Chinese for something else.
	return `\ufeff${[[...COLUMNS, ...names], ...items.map(row)].map((cells) => `${cells.map(cell).join(",")}\r\n`).join("")}`;
}

/// A hit with all its captions and tags, and the other fields with their values.
function itemOf(hit, { captions, fields }) {
	const values = Map.groupBy(fields, ({ name }) => name);
	const of = (name) => (values.get(name) ?? []).map(({ value }) => value);
	const others = [...values.keys()].filter((name) => !OTHERWISE.includes(name));
	return {
		...Object.fromEntries(COLUMNS.map((name) => [name, hit[name] ?? null])),
		thumbnail: hit.thumbnail,
		captions: captions.map(({ text }) => text),
		tags: of("tag"),
		fields: Object.fromEntries(others.map((name) => [name, of(name)])),
	};
}

function cell(held) {
	const value = Array.isArray(held) && held.length !== 1 ? held.join("; ") : [held].flat()[0];
	// A table program would take such a caption for a formula and run it.
	const text = typeof value === "string" && /^[=+\-@＝＋－＠\t\r]/u.test(value) ? `'${value}` : String(value ?? "");
	return /[",\r\n]/u.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/// A page that holds its small pictures itself; made of elements, so that captions stay text.
async function html(items) {
	const { body } = document.implementation.createHTMLDocument();
	for (const hit of items) {
		const picture = hit.thumbnail && el("img", { src: await dataUrl(await (await fetch(hit.thumbnail)).blob()), alt: hit.name });
		const shown = [hit.text ?? hit.caption, hit.made_by && t("made by {name}", { name: hit.made_by }), hit.name, hit.score?.toFixed(3), hit.tags.join(", ")].filter(Boolean).join(" · ");
		body.append(el("figure", {}, picture, el("figcaption", { text: shown })));
	}
	return `<!doctype html><meta charset="utf-8"><style>img{width:20rem}figure{display:inline-block}</style>${body.innerHTML}`;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
	for (let bit = 0; bit < 8; bit += 1) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
	return n;
});
const crc32 = (bytes) => ~bytes.reduce((sum, byte) => TABLE[(sum ^ byte) & 255] ^ (sum >>> 8), -1);

/// Time and day as ZIP has them, which knows none before 1980.
function stamp(date) {
	const year = date.getFullYear() - 1980;
	if (!(year >= 0)) return [0, 0x21];
	const time = (date.getHours() << 11) | (date.getMinutes() << 5) | (date.getSeconds() >> 1);
	return [time, (year << 9) | ((date.getMonth() + 1) << 5) | date.getDate()];
}

/// Numbers as ZIP has them: of `size` bytes, the lowest first.
const packed = (size, ...values) => values.flatMap((value) => Array.from({ length: size }, (_, at) => (value >>> (8 * at)) & 255));

/// A ZIP of the hits' pictures as they are: those are compressed already. Gives { blob, missing }.
export async function zipped(hits, address, told) {
	const [parts, directory, names] = [[], [], new Set()];
	let [offset, length] = [0, 0];
	for (const [at, hit] of hits.entries()) {
		told(at + 1);
		const response = await fetch(address(hit)).catch(() => null);
		if (!response?.ok) continue;
		const bytes = new Uint8Array(await response.arrayBuffer());
		const plain = hit.name.replace(/[/\\:\p{Cc}]/gu, "_");
		const name = names.has(plain) ? `${hit.id} ${plain}` : plain;
		names.add(name);
		if (offset + bytes.length > 4e9 || names.size > 65_000) throw new Error(t("That is too much for one ZIP file."));
		const coded = new TextEncoder().encode(name);
		const changed = new Date(response.headers.get("last-modified") ?? 0);
		// Version 2.0, names in UTF-8, stored.
		const entry = [...packed(2, 20, 0x800, 0, ...stamp(changed)), ...packed(4, crc32(bytes), bytes.length, bytes.length), ...packed(2, coded.length, 0)];
		parts.push(new Uint8Array([...packed(4, 0x04034b50), ...entry]), coded, bytes);
		directory.push(new Uint8Array([...packed(4, 0x02014b50), 20, 0, ...entry, ...packed(2, 0, 0, 0), ...packed(4, 0, offset)]), coded);
		offset += 30 + coded.length + bytes.length;
		length += 46 + coded.length;
	}
	const n = names.size;
	const end = new Uint8Array([...packed(4, 0x06054b50), ...packed(2, 0, 0, n, n), ...packed(4, length, offset), 0, 0]);
	return { blob: new Blob([...parts, ...directory, end]), missing: hits.length - n };
}
