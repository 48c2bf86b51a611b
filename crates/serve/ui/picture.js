// Pictures of the user's own: made small enough to send, and kept by the server for a while, so that the address can name one; also
// by the session, which sends it again where the server has lost it.

import { on, page, session } from "./dom.js";
import { post } from "./api.js";

// Models look at a few hundred pixels; a phone's photo of 10 MB would only take time on the way.
const SIDE = 1024;
const AS_IT_IS = 400_000;
const KEPT = 8; // a session's storage holds about 5 MB

/// The files themselves, by key: what is added to a gallery is not a small copy.
export const files = new Map();

/// The picture of a file as { key, url }, where `url` is a data URL. Rejects where the browser cannot read it, or with a `title`
/// where the server cannot.
export async function read(file) {
	const bitmap = await createImageBitmap(file);
	const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
	const url = scale === 1 && file.size <= AS_IT_IS ? await dataUrl(file) : shrunk(bitmap, scale);
	const key = await keep(url);
	files.set(key, file);
	return { key, url };
}

/// Gives the server a picture; it is the same query under the key that comes back.
export async function keep(url) {
	const { id } = await post("/v1/pictures", { image: url });
	const kept = [id, ...session.get("images", []).filter((other) => other !== id)];
	for (const old of kept.splice(KEPT)) session.set(`image.${old}`, null);
	session.set("images", kept);
	session.set(`image.${id}`, url);
	return id;
}

/// Asks about the picture of that key, which may be none.
export async function asking(key, ask) {
	try {
		return await ask();
	} catch (error) {
		const url = error.type?.endsWith("picture-gone") && session.get(`image.${key}`);
		if (!url) throw error;
		await keep(url);
		return ask();
	}
}

export function dataUrl(blob) {
	return new Promise((resolve, reject) => {
		const reader = new FileReader();
		on(reader, "load", () => resolve(reader.result));
		on(reader, "error", reject);
		reader.readAsDataURL(blob);
	});
}

function shrunk(bitmap, scale) {
	const canvas = document.createElement("canvas");
	canvas.width = Math.max(1, Math.round(bitmap.width * scale));
	canvas.height = Math.max(1, Math.round(bitmap.height * scale));
	const context = canvas.getContext("2d");
	// JPEG has no transparency, and white is what most drawings expect behind them.
	context.fillStyle = "#fff";
	context.fillRect(0, 0, canvas.width, canvas.height);
	context.imageSmoothingQuality = "high";
	context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
	return canvas.toDataURL("image/jpeg", 0.92);
}

export const picturesOf = (transfer) => [...(transfer?.files ?? [])].filter((file) => file.type.startsWith("image/"));

/// Calls `taken(files)` for what is dropped anywhere on the page, and marks the page while it is dragged over.
export function acceptDrops(taken) {
	let depth = 0; // enter and leave are told for every element under the pointer
	const listen = (name, change, act) => on(window, name, (event) => {
		if (!event.dataTransfer.types.includes("Files")) return;
		event.preventDefault();
		depth = Math.max(0, depth + change);
		page.classList.toggle("dropping", depth > 0);
		act?.(event);
	});
	listen("dragenter", 1);
	listen("dragleave", -1);
	listen("dragover", 0);
	listen("drop", -Infinity, (event) => taken(picturesOf(event.dataTransfer)));
}
