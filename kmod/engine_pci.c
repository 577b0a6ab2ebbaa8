// SPDX-License-Identifier: GPL-2.0-only
/*
 * A capture engine on PCI Express: finding it, its windows and interrupts.
 * Everything the engine does is in engine.c.
 */
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/pci.h>

#include "engine.h"

#define BAR_DOORBELL	0
#define BAR_REGISTERS	2

struct kvmcap_card {
	void __iomem *doorbell;
	struct kvmcap_engine *engine;
};

static void pci_doorbell(struct device *dev)
{
	const struct kvmcap_card *card = dev_get_drvdata(dev);

	writel(0, card->doorbell + ENG_PCI_DOORBELL);
}

static void pci_may_write(struct device *dev, bool allowed)
{
	if (allowed)
		pci_set_master(to_pci_dev(dev));
	else
		pci_clear_master(to_pci_dev(dev));
}

static const struct kvmcap_engine_bus pci_bus = {
	.doorbell = pci_doorbell,
	.may_write = pci_may_write,
};

/* Both vectors: an interrupt is a hint, the registers say what happened. */
static irqreturn_t card_interrupt(int irq, void *engine)
{
	kvmcap_engine_kick(engine);
	return IRQ_HANDLED;
}

static int map_windows(struct pci_dev *pdev, struct kvmcap_card *card, void __iomem **regs)
{
	int err;

	if (pci_resource_len(pdev, BAR_REGISTERS) < ENG_WINDOW_BYTES ||
	    pci_resource_len(pdev, BAR_DOORBELL) < ENG_PCI_DOORBELL + 4)
		return -ENODEV;
	err = pcim_iomap_regions(pdev, BIT(BAR_DOORBELL) | BIT(BAR_REGISTERS), "kvmcap");
	if (err)
		return dev_err_probe(&pdev->dev, err, "windows\n");
	card->doorbell = pcim_iomap_table(pdev)[BAR_DOORBELL];
	*regs = pcim_iomap_table(pdev)[BAR_REGISTERS];
	return 0;
}

static int enable_dma(struct pci_dev *pdev)
{
	int err = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));

	if (err)
		err = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(32));
	if (err)
		return dev_err_probe(&pdev->dev, err, "no usable DMA addressing\n");
	/* Firmware or a kernel that crashed may have left it on: engine.c says when. */
	pci_clear_master(pdev);
	/* ENGINE.md: a segment's length has 32 bits, and no boundary matters. */
	dma_set_max_seg_size(&pdev->dev, U32_MAX);
	return 0;
}

static void free_interrupts(struct pci_dev *pdev, struct kvmcap_engine *engine, int count)
{
	while (count--)
		free_irq(pci_irq_vector(pdev, count), engine);
	pci_free_irq_vectors(pdev);
}

static int request_interrupts(struct pci_dev *pdev, struct kvmcap_engine *engine)
{
	int err, i;

	err = pci_alloc_irq_vectors(pdev, ENG_VECTORS, ENG_VECTORS, PCI_IRQ_MSIX);
	if (err < 0)
		return dev_err_probe(&pdev->dev, err, "%u MSI-X vectors\n", ENG_VECTORS);
	for (i = 0; i < ENG_VECTORS; i++) {
		err = request_irq(pci_irq_vector(pdev, i), card_interrupt, 0, "kvmcap", engine);
		if (err) {
			free_interrupts(pdev, engine, i);
			return dev_err_probe(&pdev->dev, err, "interrupt %d\n", i);
		}
	}
	return 0;
}

static int card_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct kvmcap_card *card;
	void __iomem *regs;
	int err;

	card = devm_kzalloc(&pdev->dev, sizeof(*card), GFP_KERNEL);
	if (!card)
		return -ENOMEM;
	pci_set_drvdata(pdev, card);
	err = pcim_enable_device(pdev);
	if (err)
		return dev_err_probe(&pdev->dev, err, "enable\n");
	err = map_windows(pdev, card, &regs);
	if (err)
		return err;
	err = enable_dma(pdev);
	if (err)
		return err;
	card->engine = kvmcap_engine_attach(&pdev->dev, regs, &pci_bus);
	if (IS_ERR(card->engine))
		return PTR_ERR(card->engine);
	err = request_interrupts(pdev, card->engine);
	if (err) {
		kvmcap_engine_detach(card->engine);
		return err;
	}
	kvmcap_engine_kick(card->engine);
	return 0;
}

/*
 * At any moment: an orderly removal, or long after somebody pulled the card. Also
 * before another kernel is started, whose memory the engine must not write to.
 */
static void card_remove(struct pci_dev *pdev)
{
	struct kvmcap_card *card = pci_get_drvdata(pdev);

	if (!card)
		return; /* shut down already */
	free_interrupts(pdev, card->engine, ENG_VECTORS);
	kvmcap_engine_detach(card->engine);
	pci_set_drvdata(pdev, NULL);
}

/*
 * No number has been assigned to capture engines yet, and the one that the
 * virtual card of the bench borrows belongs to another device. So a card is
 * bound by its driver_override (ENGINE.md, Binding), and ENG_MAGIC decides.
 */
static const struct pci_device_id card_ids[] = {
	{ }
};
MODULE_DEVICE_TABLE(pci, card_ids);

static struct pci_driver card_driver = {
	.name = "kvmcap",
	.id_table = card_ids,
	.probe = card_probe,
	.remove = card_remove,
	.shutdown = card_remove,
};

int kvmcap_pci_init(void)
{
	return pci_register_driver(&card_driver);
}

void kvmcap_pci_exit(void)
{
	pci_unregister_driver(&card_driver);
}
