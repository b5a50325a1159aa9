# docker build -t blindspot .                          CPU
# docker build -t blindspot --build-arg TORCH=cuda .   NVIDIA GPU
# docker run --rm -it -v lab:/workspace blindspot python cli.py users add NAME --role admin
# docker run -p 127.0.0.1:7860:7860 -v lab:/workspace blindspot
FROM python:3.11-slim
ARG TORCH=cpu
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /app
COPY requirements.txt .
# PyTorch's own index has builds without CUDA under the same version; the usual build on Linux has CUDA.
RUN if [ "$TORCH" = cpu ]; then export PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu; \
      sed -i 's/^torch==\(.*\)$/torch==\1+cpu/' requirements.txt; fi; \
    pip install -r requirements.txt

COPY app.py cli.py settings.py ./
COPY components components
COPY data data
COPY models models

RUN useradd --create-home --uid 10001 blindspot && mkdir /workspace && chown blindspot /workspace
USER blindspot
VOLUME /workspace
ENV BLINDSPOT_WORKSPACE=/workspace BLINDSPOT_HOST=0.0.0.0 BLINDSPOT_PORT=7860 BLINDSPOT_ON_STOP=checkpoint \
    GRADIO_ANALYTICS_ENABLED=False HF_HUB_DISABLE_TELEMETRY=1
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD python -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/healthz', timeout=4)"
# The app ends within seconds of SIGTERM, but its worker may need a minute to its next checkpoint.
STOPSIGNAL SIGTERM
CMD ["python", "app.py"]
