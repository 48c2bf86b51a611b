// Runs before the first paint, as a classic script: otherwise somebody who chose dark on a light system would see
// a white flash at every load.
{
	const stored = (name) => {
		try {
			return JSON.parse(localStorage.getItem(`tuwen.${name}`)) ?? "";
		} catch {
			return ""; // storage is switched off
		}
	};
	const root = document.documentElement;
	root.dataset.theme = stored("theme");
	root.lang = (stored("language") || navigator.language).startsWith("zh") ? "zh-CN" : "en";
}
