// Files dropped anywhere on the page go to its field for uploads, which takes them as if they had been dropped there.

const carriesFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
const field = () => document.querySelector("[data-testid=stFileUploaderDropzone]");

export default function () {
  const light = (on) => document.body.classList.toggle("dropping", on);
  const over = (event) => {
    if (!carriesFiles(event) || !field()) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    light(true);
  };
  const leave = (event) => event.relatedTarget === null && light(false);
  const drop = (event) => {
    if (!carriesFiles(event)) return;
    light(false);
    const place = field(), input = place?.querySelector("input[type=file]");
    if (!input || event.composedPath().includes(place)) return;
    event.preventDefault();
    input.files = event.dataTransfer.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  };
  window.addEventListener("dragover", over);
  window.addEventListener("dragleave", leave);
  window.addEventListener("drop", drop);
  return () => {
    light(false);
    window.removeEventListener("dragover", over);
    window.removeEventListener("dragleave", leave);
    window.removeEventListener("drop", drop);
  };
}
