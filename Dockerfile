FROM python:3.11-slim

# PyPI's torch carries several gigabytes of CUDA, so the image takes the CPU build unless told otherwise:
#   docker build --build-arg TORCH_INDEX=https://pypi.org/simple -t otherwise .   and then   docker run --gpus all ...
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

# libgl1 and libglib2.0-0 are for OpenCV, should a dependency bring the build with windows.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 reader

WORKDIR /app
COPY requirements.txt .
RUN grep -E '^torch(vision)?[<>=]' requirements.txt > torch.txt \
    && pip install --index-url "$TORCH_INDEX" -r torch.txt \
    && pip install -r requirements.txt \
    && rm torch.txt

COPY . .
RUN chown reader:reader /app
USER reader

EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]

# Inside the container every address is its own; publish it on loopback: docker run -p 127.0.0.1:8501:8501 otherwise
# Under another name or port, say so: docker run -e OTHERWISE_ALLOWED_HOSTS=reading-room.example.org ...
CMD ["streamlit", "run", "app.py", "--server.address=0.0.0.0"]
